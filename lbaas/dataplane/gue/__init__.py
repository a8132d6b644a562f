"""The UDP ports at which GUE is opened on a backend host."""
