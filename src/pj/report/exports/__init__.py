"""Finished runs for other programs, by the optional extra that each needs."""

REGISTRY = {
    # write(runs, folder)
    "tensorboard": "pj.report.exports.tensorboard:write",
    "mlflow": "pj.report.exports.mlflow:write",
}
