"""What a reader sees of a figure's texts."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def cut(figure):
    """Return the texts of a figure that reach over its edge, and axes' titles that overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    # ticks out of sight have labels as well, which are not drawn
    ticks = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    extents = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
        if text.get_text().strip() and text not in ticks
    ]
    over = [
        words
        for words, box in extents
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    titles = [axes.title for axes in figure.axes if axes.get_title()]
    boxes = [(title.get_text(), title.get_window_extent()) for title in titles]
    over += [a for i, (a, one) in enumerate(boxes) for _, other in boxes[i + 1 :] if one.overlaps(other)]
    return over


def words(figure):
    """Return all that a figure says, in one line."""
    texts = figure.findobj(Text)
    return " ".join(" ".join(text.get_text() for text in texts).split())
