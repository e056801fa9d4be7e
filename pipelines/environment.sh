# SPDX-License-Identifier: LGPL-2.1-or-later
# environment.sh: what every script here reads first: the plugin and the models of build/ (made by ./demo or ./check), unless they are
# installed. Not run by itself.
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
if [ -e "$root/build/gst/libgstupi.so" ]; then
  export GST_PLUGIN_PATH=$root/build/gst${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
  export UPI_MODEL_PATH=$root/models${UPI_MODEL_PATH:+:$UPI_MODEL_PATH}
elif ! gst-inspect-1.0 --exists upiencoder; then
  echo "The plugin upi is neither built nor installed: run ./demo once, it builds it." >&2
  exit 1
fi

# usage "arguments" "what it does": prints the help when the first argument is -h, --help, or missing where one is needed.
usage () {
  echo "usage: pipelines/$(basename "$0") $1" >&2
  echo "$2" >&2
  exit 2
}
# sink: where a live picture goes. SINK=fakesink runs without a screen.
sink=${SINK:-autovideosink}
