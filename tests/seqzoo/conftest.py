from tests.training.conftest import trained

__all__ = ["trained"]
