"""Builds the compiled implementation where that can be done; elsewhere the pure one is used."""

import contextlib
import os
import re
import sys
import threading
import tomllib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MESSAGE = (
    "quickpickle: the compiled implementation was not built ({}); the pure one will be used, "
    "with the same results, more slowly"
)
not_built = []
one_at_a_time = threading.Lock()


class BuildOptional(build_ext):
    """Goes on without the extensions where Cython or the C compiler fails, and says so once."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:  # setup.py build_ext -j 1
            self.parallel = os.cpu_count()

    def build_extension(self, extension):
        if self.compiler.compiler_type == "unix":
            # CFLAGS may replace the interpreter's own flags, so -O3 may be missing there.
            # Debug information is larger than the rest, and tells where it was built.
            # The speed of a short loop depends on its address: by up to a fifth, for runs of None,
            # which came and went with changes of other functions.
            align = ["-falign-functions=64", "-falign-loops=32"]
            extension.extra_compile_args += ["-O3", "-g0", *align]
            # Compilers stop inlining where a file has grown by much, and this is one file. Calls
            # in place of inlined code came and went with changes elsewhere, and took 5 % longer.
            inline = "inline __attribute__((always_inline))"
            extension.define_macros.append(("CYTHON_INLINE", inline))
        try:
            # Cython can do one file at a time in a process. The C compiler is another process, and
            # takes most of the time.
            with one_at_a_time:
                from Cython.Build import cythonize

                quiet = self.verbose == 0
                (made,) = cythonize([extension], force=self.force, quiet=quiet)
                extension.sources = made.sources
            super().build_extension(extension)
        except Exception as error:
            with one_at_a_time:
                not_built.append(extension)
                if len(not_built) == 1:
                    self.say(MESSAGE.format(error))

    def say(self, message):
        self.warn(message)
        # pip shows that with -v only, so the terminal is told too, where there is one.
        with contextlib.suppress(OSError), open("/dev/tty", "w") as terminal:
            terminal.write(f"\n{message}\n")


# A line in a file of this kind is run when the interpreter starts, if it begins with "import".
STARTUP = (
    "import os, sys; sys.flags.ignore_environment or "
    "os.environ.get('QUICKPICKLE_INSTALL', '') in ('', '0') or "
    "__import__('quickpickle').install()\n"
)


class BuildWithStartup(build_py):
    """Puts quickpickle.pth beside the package: QUICKPICKLE_INSTALL=1 installs it at the start."""

    def startup_file(self):
        return Path(self.build_lib, "quickpickle.pth")

    def run(self):
        super().run()
        if not self.editable_mode:
            self.startup_file().write_text(STARTUP, encoding="utf-8")

    def get_outputs(self, include_bytecode=True):
        outputs = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, str(self.startup_file())]


class WheelOfWhatWasBuilt(bdist_wheel):
    """Names the wheel py3-none-any where nothing in it is compiled: pip shows the name."""

    def get_tag(self):
        nothing_was = len(not_built) == len(self.distribution.ext_modules)
        return ("py3", "none", "any") if nothing_was else super().get_tag()


def read_page():
    """README.md for a package index, where relative links lead nowhere: with whole addresses."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    init = (ROOT / "src" / "quickpickle" / "__init__.py").read_text("utf-8")
    version = re.search(r'^__version__ = "(.*)"$', init, re.M)[1]
    repository = project["urls"]["Repository"]

    def complete(match):
        image, text, target = match.groups()
        kind = "raw" if image else "blob"
        return f"{image}[{text}]({repository}/{kind}/v{version}/{target})"

    page = (ROOT / "README.md").read_text("utf-8")
    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)", complete, page)


setup(
    long_description=read_page(),
    long_description_content_type="text/markdown",
    ext_modules=[
        Extension(
            f"quickpickle.compiled.{name}", [f"src/quickpickle/compiled/{name}.pyx"], optional=True
        )
        for name in ("core", "unpickling", "inspection")  # what takes longest begins
        if sys.implementation.name == "cpython"  # the core uses what only its objects have
    ],
    cmdclass={
        "build_ext": BuildOptional,
        "build_py": BuildWithStartup,
        "bdist_wheel": WheelOfWhatWasBuilt,
    },
)
