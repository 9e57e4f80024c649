# Runs in the new root while apt still has its lists: unpacks both kernels below /kernels, where
# the build takes them from. Installing them would make an initramfs, which no guest uses.
set -e
mkdir /kernels
cd /kernels
image=$(apt-cache depends --important linux-image-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
apt-get -q download "$image" user-mode-linux
for package in *.deb; do
    dpkg-deb -x "$package" "${package%%_*}"
    rm "$package"
done
mv "$image" vm
mv user-mode-linux uml
