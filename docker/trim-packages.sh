#!/bin/sh
# Takes out of installed packages ($1: their site-packages) what no running service reads, and compiles the rest, so that a
# read-only image starts as fast as one that can write.
set -eu
cd "$1"

find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.c' -o -name '*.h' -o -name '*.hpp' -o -name '*.a' \) -delete
# Tools of those who build with numpy, modules that only its tests load, and the half of zstandard that other Pythons than
# CPython load.
rm -rf numpy/f2py numpy/distutils ../../../bin/f2py
rm -f numpy/_core/_simd.*.so numpy/_core/_*_tests.*.so
rm -f zstandard/_cffi.*.so zstandard/backend_cffi.py

# Pygments knows 500 languages, 8 MB. Rich shows tracebacks of Python with it, and nothing here shows any other language: one that is
# not in its table is shown as plain text, by Pygments' own rules.
if [ -d pygments/lexers ]; then
    find pygments/lexers -type f ! -name __init__.py ! -name _mapping.py ! -name python.py ! -name special.py -delete
    sed -i "/^    '[A-Za-z0-9_]*': ('pygments\.lexers\./{/'pygments\.lexers\.\(python\|special\)'/!d}" pygments/lexers/_mapping.py
fi

# Symbols for debuggers are 55 MB of the encoder's wheels. Libraries that wheels took in (*.libs) come stripped.
find . -type f -name '*.so' ! -path './*.libs/*' -exec strip --strip-unneeded {} +
# Stripping what patchelf has touched can break it: each must still load.
find . -type f -name '*.so' ! -path './*.libs/*' -exec python3 -c '
import ctypes, sys
for path in sys.argv[1:]:
    ctypes.CDLL(path)
' {} +

# Valid whatever the files' times are: layers do not keep them to the second.
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash .
