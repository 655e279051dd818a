"""Builds the compiled implementation where that can be done; elsewhere the Python one is used."""

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildOptional(build_ext):
    """Goes on without the extension where Cython or the C compiler fails, and says so."""

    def build_extension(self, extension):
        if self.compiler.compiler_type == "unix":
            # What CFLAGS says is in place of the interpreter's own flags, so it may lack this one.
            extension.extra_compile_args.append("-O3")
        try:
            super().build_extension(extension)
        except Exception as error:
            self.warn(
                f"the compiled implementation of quickpickle was not built ({error}); the Python "
                "one will be used, with the same results, more slowly"
            )


setup(
    ext_modules=[
        Extension("quickpickle.native.core", ["src/quickpickle/native/core.pyx"], optional=True)
    ],
    cmdclass={"build_ext": BuildOptional},
)
