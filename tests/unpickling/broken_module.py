"""A module that cannot be imported: for tests of errors."""

import no_such_module_at_all  # noqa: F401
