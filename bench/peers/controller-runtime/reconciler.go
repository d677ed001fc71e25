package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/atlasrestore/legacy-restore-operator/bench/peers/controller-runtime/api"
)

// Reconciler mirrors one restore job at a time.
type Reconciler struct {
	client.Client
	Recorder    events.EventRecorder
	Credentials *Credentials
	Atlas       *Atlas
}

// SetupWithManager watches the resources. Status writes do not bring a resource into the queue again.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager, concurrency int) error {
	return ctrl.NewControllerManagedBy(manager).
		For(&api.LegacyRestoreJob{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(r)
}

// Reconcile makes the status of one resource equal to what Atlas says.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var job api.LegacyRestoreJob
	if err := r.Get(ctx, request.NamespacedName, &job); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if job.Status.ObservedGeneration == job.Generation && hasEnded(job.Status) {
		return ctrl.Result{}, nil
	}
	secret := client.ObjectKey{Namespace: job.Namespace, Name: job.Spec.CredentialsSecretRef.Name}
	key, err := r.Credentials.Get(ctx, secret)
	if err != nil {
		return ctrl.Result{}, err
	}
	answer, err := r.Atlas.Fetch(ctx, key, job.Spec)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := job.DeepCopy()
	job.Status.RestoreJob = answer
	job.Status.ObservedGeneration = job.Generation
	ready := readyCondition(answer, job.Generation)
	meta.SetStatusCondition(&job.Status.Conditions, ready)
	meta.SetStatusCondition(&job.Status.Conditions, syncedCondition(job.Generation))
	if !equality.Semantic.DeepEqual(before.Status, job.Status) {
		if err := r.write(ctx, before, &job, ready); err != nil {
			return ctrl.Result{}, err
		}
	}
	if hasEnded(job.Status) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: wait.Jitter(job.Spec.Interval.Duration*9/10, 0.2)}, nil
}

func (r *Reconciler) write(ctx context.Context, before, job *api.LegacyRestoreJob, ready metav1.Condition) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Status().Patch(ctx, job, patch); err != nil {
		return err
	}
	log.FromContext(ctx).Info("status changed", "statusName", job.Status.StatusName, "ready", ready.Reason)
	// Nobody is told of a job that had ended before it was first mirrored.
	previous := meta.FindStatusCondition(before.Status.Conditions, ready.Type)
	isNews := previous == nil && !hasEnded(job.Status) || previous != nil && previous.Reason != ready.Reason
	if isNews {
		r.Recorder.Eventf(job, nil, corev1.EventTypeNormal, ready.Reason, "Mirror", "%s", ready.Message)
	}
	return nil
}

// Nothing changes any more at Atlas: an automated restore that has finished.
func hasEnded(status api.Status) bool {
	return status.StatusName == "FINISHED" && status.Delivery != nil && status.Delivery.TargetClusterID != ""
}

func readyCondition(job api.RestoreJob, generation int64) metav1.Condition {
	if job.StatusName == "FINISHED" {
		return condition("Ready", metav1.ConditionTrue, "JobFinished", "Atlas finished the restore job.", generation)
	}
	return condition("Ready", metav1.ConditionFalse, "JobInProgress", "The restore job is running at Atlas.", generation)
}

func syncedCondition(generation int64) metav1.Condition {
	return condition("Synced", metav1.ConditionTrue, "JobFetched", "The status equals Atlas's last answer.", generation)
}

func condition(name string, status metav1.ConditionStatus, reason, message string, generation int64) metav1.Condition {
	return metav1.Condition{
		Type: name, Status: status, Reason: reason, Message: message, ObservedGeneration: generation,
	}
}
