//go:build tools

// Package tools names the programs that are built from this module, so that `go mod tidy` keeps their requirements.
//
// To add one: import its main package here, run `go mod tidy` in this folder, and name it in the table of
// test/support/control-plane/tools.ts. One module for all of them shares the work of compiling; a program whose
// requirements clash with Kubernetes's needs a module of its own.
//
// The staging modules of Kubernetes are published as v0.x.y of the same release; k8s.io/kubernetes itself requires them
// as v0.0.0, hence the replacements in go.mod. When Kubernetes is raised, all of them are raised together.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/promtool"
	_ "github.com/yannh/kubeconform/cmd/kubeconform"
	_ "helm.sh/helm/v4/cmd/helm"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
