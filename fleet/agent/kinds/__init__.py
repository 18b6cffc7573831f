"""One module a kind of resource: `check` says what differs, `apply` changes it, `foresee` tells later checks what it will bring."""
