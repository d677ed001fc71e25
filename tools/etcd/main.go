// Command etcd is etcd as its own release builds it: its module has no main package that can be required from elsewhere.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
