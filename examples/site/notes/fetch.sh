#!/bin/sh
# What this folder holds, as JSON: the server lists it for programs that ask for it.
exec h123 fetch --insecure --header 'Accept: application/json' https://localhost:8443/notes/
