// Command gitops-health judges Kubernetes objects as Argo CD, kstatus and Flux do.
//
// It reads one JSON object from standard input: lua, the script of a health check of Argo CD; flux, the YAML of a
// Kustomization of Flux; and objects. It writes one JSON list to standard output: a health of each object, in order.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

type input struct {
	Lua     string                       `json:"lua"`
	Flux    string                       `json:"flux"`
	Objects []*unstructured.Unstructured `json:"objects"`
}

type health struct {
	ArgoCD  string `json:"argocd"`
	Message string `json:"message"`
	Kstatus string `json:"kstatus"`
	Flux    string `json:"flux"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	evaluators, err := fluxEvaluators(in.Flux)
	if err != nil {
		return err
	}
	answers := make([]health, 0, len(in.Objects))
	for _, object := range in.Objects {
		answer, err := judge(in.Lua, evaluators, object)
		if err != nil {
			return fmt.Errorf("%s: %w", object.GetName(), err)
		}
		answers = append(answers, answer)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func judge(script string, evaluators map[string]*cel.StatusEvaluator, object *unstructured.Unstructured) (health, error) {
	argocd, message, err := argoHealth(script, object)
	if err != nil {
		return health{}, fmt.Errorf("Argo CD: %w", err)
	}
	kstatus, err := status.Compute(object)
	if err != nil {
		return health{}, fmt.Errorf("kstatus: %w", err)
	}
	evaluator, ok := evaluators[object.GetAPIVersion()+" "+object.GetKind()]
	if !ok {
		return health{}, errors.New("Flux: no healthCheckExprs of this kind")
	}
	flux, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return health{}, fmt.Errorf("Flux: %w", err)
	}
	return health{argocd, message, kstatus.Status.String(), flux.Status.String()}, nil
}

// fluxEvaluators reads a Kustomization with the types of kustomize-controller: a field that they do not have is an error.
func fluxEvaluators(text string) (map[string]*cel.StatusEvaluator, error) {
	var kustomization kustomizev1.Kustomization
	if err := yaml.UnmarshalStrict([]byte(text), &kustomization); err != nil {
		return nil, fmt.Errorf("the Kustomization: %w", err)
	}
	evaluators := map[string]*cel.StatusEvaluator{}
	for _, check := range kustomization.Spec.HealthCheckExprs {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			return nil, err
		}
		evaluators[check.APIVersion+" "+check.Kind] = evaluator
	}
	return evaluators, nil
}

// argoHealth runs a script as Argo CD runs those of argocd-cm: without the libraries string and math, within a second,
// and with the object in the global obj.
func argoHealth(script string, object *unstructured.Unstructured) (string, string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luaValue(state, object.Object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returned %s instead of a table", state.Get(-1).Type())
	}
	return lua.LVAsString(answer.RawGetString("status")), lua.LVAsString(answer.RawGetString("message")), nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.NewTable()
		for _, item := range value {
			list.Append(luaValue(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, member := range value {
			table.RawSetString(key, luaValue(state, member))
		}
		return table
	}
	return lua.LNil
}
