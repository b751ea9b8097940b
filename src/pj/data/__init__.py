"""Images: where they come from, how they are kept, how they reach the device."""
