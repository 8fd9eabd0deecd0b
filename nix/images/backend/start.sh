#!/bin/sh
# Ends as mempool's own does: with the line that the module's command puts an exec before.

node /backend/package/index.js
