"""Training one run: the loop, its resumable state, the device it runs on."""
