#!/usr/bin/env bash
# Builds the Debian package of the release that this runs on: packaging/deb/build.sh [OUTPUT FOLDER]
#
# Debian's python3, python3-venv, make and binutils are needed, and the network for the pinned packages; root is not.
# The environment in /opt/surveil is made by Debian's own Python, so a package fits one release of Debian only.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/packaging
out=$(realpath -m "${1:-dist}")
python=${PYTHON:-/usr/bin/python3}
prefix=/opt/surveil
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root doc=$work/root/usr/share/doc/surveil
umask 022
mkdir -p "$out" "$doc"

release() { . /etc/os-release; echo "$VERSION_ID"; }
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' surveil/__init__.py)~deb$(release)
minor=$("$python" -c 'import sys; print(sys.version_info[1])')

make install DESTDIR="$root" PREFIX=$prefix PYTHON="$python" GPU=0
site=$(echo "$root"$prefix/lib/python3.*/site-packages)

# What a package owns lies in /usr, not where `make install` puts things of its own.
mkdir -p "$root/usr/lib/systemd/system" "$root/usr/bin"
mv "$root"/etc/systemd/system/*.service "$root/usr/lib/systemd/system/"
mv "$root/usr/local/share/man" "$root/usr/local/share/bash-completion" "$root/usr/share/"
mkdir -p "$root/usr/share/zsh/vendor-completions" "$root/usr/share/fish/vendor_completions.d"
mv "$root/usr/local/share/zsh/site-functions/_surveil" "$root/usr/share/zsh/vendor-completions/"
mv "$root/usr/local/share/fish/vendor_completions.d/surveil.fish" "$root/usr/share/fish/vendor_completions.d/"
rm -rf "$root/usr/local" "$root/etc/systemd"
ln -s $prefix/bin/surveil "$root/usr/bin/surveil"
gzip -9n "$root"/usr/share/man/man1/*.1

"$here/sbom.sh" "$root$prefix/bin/python" > "$doc/sbom.cdx.json"
"$root$prefix/bin/python" "$here/licences.py" > "$doc/licences"
cp LICENSE NOTICE README.md "$doc/"
cp packaging/deb/copyright "$doc/copyright"
gzip -9nc CHANGELOG.md > "$doc/changelog.gz"
cp -r prometheus grafana "$doc/"

# Not needed to run: the packages' own tests and headers, ONNX Runtime's tools, what built the environment.
rm -rf "$site"/{setuptools*,pkg_resources,_distutils_hack,distutils-precedence.pth} "$site"/onnxruntime/{transformers,tools,quantization}
find "$site" -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find "$site" -type f \( -name '*.pyi' -o -name '*.h' -o -name '*.pxd' -o -name '*.a' \) -delete
# Extension modules only: patched libraries of the wheels (*.libs) cannot be loaded after strip.
find "$site" -name '*.so' -type f -not -path '*.libs/*' -exec strip --strip-unneeded {} +
# Bytecode names its source; the build's folder is not there later.
find "$root$prefix" -name __pycache__ -type d -prune -exec rm -rf {} +
"$python" -m compileall -q -j 0 -s "$root" --invalidation-mode unchecked-hash "$root$prefix/lib" || true
grep -rlI --exclude-dir=site-packages "$root" "$root$prefix" | xargs -r sed -i "s|$root||g"
"$root$prefix/bin/python" -c 'import av, cv2, numpy, onnxruntime, surveil'

size=$(du -sk "$root" | cut -f1)
mkdir "$root/DEBIAN"
sed -e "s|@VERSION@|$version|; s|@SIZE@|$size|; s|@PYTHON@|3.$minor|; s|@NEXT@|3.$((minor + 1))|" packaging/deb/control > "$root/DEBIAN/control"
install -m 755 packaging/deb/{preinst,postinst,prerm,postrm} "$root/DEBIAN/"
install -m 644 packaging/deb/{conffiles,templates} "$root/DEBIAN/"
chmod 640 "$root/etc/surveil/config.yaml"
package=$out/surveil_${version}_amd64.deb
dpkg-deb --root-owner-group -Zzstd -z9 --build "$root" "$package" >/dev/null
echo "$package: $((size / 1024)) MB installed"
