from tests.training.conftest import tables_made_once

__all__ = ["tables_made_once"]
