#!/usr/bin/env bash
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93): putText with a Hershey font draws Chinese characters.
#
# In OpenCV 4 the Hershey fonts were strokes of ASCII, and anything else came out as question marks. In OpenCV 5 the old
# constants stand for a built-in outline font, and that has Han characters, too: captions in them need no
# freetype module and no font file. The other side: text is wider or narrower than in OpenCV 4, and getTextSize with the
# same arguments gives other sizes; layouts with numbers taken from version 4 no longer fit.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 4.12.0.88 5.0.0.93; do
  python3 -m venv "$work/$version"
  "$work/$version/bin/pip" -q --disable-pip-version-check install opencv-python-headless==$version >/dev/null 2>&1
  "$work/$version/bin/python" - <<'PY'
import cv2
import numpy as np


def drawn(text):
    picture = np.zeros((60, 120), np.uint8)
    cv2.putText(picture, text, (5, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 2)
    return picture


major = int(cv2.__version__.split(".")[0])
# Four characters of which no two look alike. Question marks would be equal pictures.
different = len({drawn(text).tobytes() for text in "前门布防"})
size, _ = cv2.getTextSize("camera 1", cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
print(cv2.__version__, "different pictures of four characters:", different, "size of 'camera 1':", size)
assert different == (1 if major == 4 else 4)
PY
done
echo "as described"
