"""How hard the tests of this package try: STEPSOLVER_HARNESS (default 1) multiplies random problems and examples."""

from __future__ import annotations

import os
from typing import Final

MORE: Final = int(os.environ.get("STEPSOLVER_HARNESS", "1"))
