"""Builds the compiled implementation where that can be done; elsewhere the Python one is used."""

import contextlib
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

MESSAGE = (
    "quickpickle: the compiled implementation was not built ({}); the Python one will be used, "
    "with the same results, more slowly"
)
not_built = []


class BuildOptional(build_ext):
    """Goes on without the extensions where Cython or the C compiler fails, and says so once."""

    def build_extension(self, extension):
        if self.compiler.compiler_type == "unix":
            # What CFLAGS says is in place of the interpreter's own flags, so it may lack this one.
            # What a debugger would be told is larger than the rest, and tells where it was built.
            # How fast a short loop is depends on where it lies: up to a fifth, for runs of None,
            # which came and went with changes of other functions.
            align = ["-falign-functions=64", "-falign-loops=32"]
            extension.extra_compile_args += ["-O3", "-g0", *align]
            if extension.name.endswith(".core") and self.is_gcc():
                # It stops inlining where a file has grown by two fifths, and this is one file. Dumps
                # take 7 % less time without that, in the mean; more of it costs.
                extension.extra_compile_args += ["--param", "max-inline-insns-single=500"]
                extension.extra_compile_args += ["--param", "inline-unit-growth=200"]
        try:
            super().build_extension(extension)
        except Exception as error:
            not_built.append(extension)
            if len(not_built) == 1:
                self.say(MESSAGE.format(error))

    def is_gcc(self):
        try:
            version = subprocess.check_output([*self.compiler.compiler_so, "--version"], text=True)
        except (OSError, subprocess.CalledProcessError):
            return False  # what it is to compile will say what is wrong
        return "Free Software Foundation" in version

    def say(self, message):
        self.warn(message)
        # pip shows that with -v only, so the terminal is told too, where there is one.
        with contextlib.suppress(OSError), open("/dev/tty", "w") as terminal:
            terminal.write(f"\n{message}\n")


class WheelOfWhatWasBuilt(bdist_wheel):
    """Names the wheel py3-none-any where nothing in it is compiled: pip shows the name."""

    def get_tag(self):
        nothing_was = len(not_built) == len(self.distribution.ext_modules)
        return ("py3", "none", "any") if nothing_was else super().get_tag()


setup(
    ext_modules=[
        Extension(
            f"quickpickle.native.{name}", [f"src/quickpickle/native/{name}.pyx"], optional=True
        )
        for name in ("core", "inspection")
        if sys.implementation.name == "cpython"  # the core uses what only its objects have
    ],
    cmdclass={"build_ext": BuildOptional, "bdist_wheel": WheelOfWhatWasBuilt},
)
