"""What every machine with an agent shows."""

UNSENT = "Usage on its disk that the server has not; null where nothing is counted."
CERTIFICATE = "When the newest certificate of its agent ends; null if it has none."
