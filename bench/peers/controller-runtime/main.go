// Command controller-runtime is the operator's work written with Go's controller-runtime: the peer that bench/ measures
// the operator against. It mirrors restore jobs of Atlas into the status of LegacyRestoreJob resources.
//
// The environment says what to do: KUBECONFIG, ATLAS_BASE_URL, CONCURRENCY and HTTP_BIND_ADDRESS (for metrics).
package main

import (
	"os"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/atlasrestore/legacy-restore-operator/bench/peers/controller-runtime/api"
)

func main() {
	ctrl.SetLogger(zap.New())
	if err := run(); err != nil {
		ctrl.Log.Error(err, "the operator ended")
		os.Exit(1)
	}
}

func run() error {
	concurrency, err := strconv.Atoi(os.Getenv("CONCURRENCY"))
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, api.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// No throttle on the client's side: the other subjects have none.
	config.QPS = -1
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: os.Getenv("HTTP_BIND_ADDRESS")},
		// What memory-conscious operators set: managedFields are the larger part of small objects.
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		// Secrets are read by name and not cached, which would need list and watch on all of them.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		return err
	}
	reconciler := &Reconciler{
		Client:      manager.GetClient(),
		Recorder:    manager.GetEventRecorder("legacyrestorejob"),
		Credentials: NewCredentials(manager.GetClient()),
		Atlas:       NewAtlas(os.Getenv("ATLAS_BASE_URL"), concurrency),
	}
	if err := reconciler.SetupWithManager(manager, concurrency); err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
