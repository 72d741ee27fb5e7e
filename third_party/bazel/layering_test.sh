#!/bin/sh
# usage: layering_test.sh FILE
# FILE holds a dependency path that must not exist: it has to be empty.
if [ -s "$1" ]; then
  echo "This path reaches a layer that it must not reach:"
  cat "$1"
  exit 1
fi
