// Command gitops-strict reads YAML documents of Flux from standard input with Flux's own types. A field that they do not
// have, and a kind that is not of Flux, is an error.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

var types = map[string]func() any{
	kustomizev1.GroupVersion.String() + " Kustomization": func() any { return &kustomizev1.Kustomization{} },
	sourcev1.GroupVersion.String() + " OCIRepository":    func() any { return &sourcev1.OCIRepository{} },
	helmv2.GroupVersion.String() + " HelmRelease":        func() any { return &helmv2.HelmRelease{} },
}

func main() {
	if err := run(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(input io.Reader) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(input))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := check(document); err != nil {
			return err
		}
	}
}

func check(document []byte) error {
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(document, &meta); err != nil {
		return err
	}
	create, ok := types[meta.APIVersion+" "+meta.Kind]
	if !ok {
		return fmt.Errorf("%s %s is no type of Flux that is known here", meta.APIVersion, meta.Kind)
	}
	if err := yaml.UnmarshalStrict(document, create()); err != nil {
		return fmt.Errorf("the %s: %w", meta.Kind, err)
	}
	return nil
}
