// Package api holds the Go types of LegacyRestoreJob, as kubebuilder lays them out.
//
// +kubebuilder:object:generate=true
// +groupName=atlasrestore.dev
package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion of the resource.
var GroupVersion = schema.GroupVersion{Group: "atlasrestore.dev", Version: "v1"}

// AddToScheme makes the types known to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &LegacyRestoreJob{}, &LegacyRestoreJobList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}

// LegacyRestoreJob mirrors one restore job.
//
// +kubebuilder:object:root=true
type LegacyRestoreJob struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   Spec   `json:"spec"`
	Status Status `json:"status,omitempty"`
}

// LegacyRestoreJobList is a list of them.
//
// +kubebuilder:object:root=true
type LegacyRestoreJobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []LegacyRestoreJob `json:"items"`
}

// Spec says which job to mirror.
type Spec struct {
	GroupID              string               `json:"groupId"`
	ClusterName          string               `json:"clusterName"`
	JobID                string               `json:"jobId"`
	CredentialsSecretRef CredentialsSecretRef `json:"credentialsSecretRef"`
	Interval             metav1.Duration      `json:"interval,omitempty"`
}

// CredentialsSecretRef names the Secret with the API key.
type CredentialsSecretRef struct {
	Name string `json:"name"`
}

// Status is what Atlas says, and what was observed.
type Status struct {
	RestoreJob `json:",inline"`

	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

// RestoreJob is Atlas's answer.
type RestoreJob struct {
	ID                string     `json:"id,omitempty"`
	GroupID           string     `json:"groupId,omitempty"`
	ClusterID         string     `json:"clusterId,omitempty"`
	ClusterName       string     `json:"clusterName,omitempty"`
	BatchID           string     `json:"batchId,omitempty"`
	SnapshotID        string     `json:"snapshotId,omitempty"`
	DeploymentJobID   string     `json:"deploymentJobId,omitempty"`
	Created           string     `json:"created,omitempty"`
	StatusName        string     `json:"statusName,omitempty"`
	PointInTime       *bool      `json:"pointInTime,omitempty"`
	EncryptionEnabled *bool      `json:"encryptionEnabled,omitempty"`
	MasterKeyUUID     string     `json:"masterKeyUUID,omitempty"`
	Timestamp         *Timestamp `json:"timestamp,omitempty"`
	Delivery          *Delivery  `json:"delivery,omitempty"`
	Hashes            []Hash     `json:"hashes,omitempty"`
	Links             []Link     `json:"links,omitempty"`
}

// Timestamp is a position in the oplog.
type Timestamp struct {
	Date      string `json:"date,omitempty"`
	Increment int64  `json:"increment,omitempty"`
}

// Delivery says how the data is handed over.
type Delivery struct {
	MethodName        string `json:"methodName,omitempty"`
	StatusName        string `json:"statusName,omitempty"`
	URL               string `json:"url,omitempty"`
	URLV2             string `json:"urlV2,omitempty"`
	AuthHeader        string `json:"authHeader,omitempty"`
	Expires           string `json:"expires,omitempty"`
	ExpirationHours   int64  `json:"expirationHours,omitempty"`
	MaxDownloads      int64  `json:"maxDownloads,omitempty"`
	TargetClusterID   string `json:"targetClusterId,omitempty"`
	TargetClusterName string `json:"targetClusterName,omitempty"`
	TargetGroupID     string `json:"targetGroupId,omitempty"`
}

// Hash is the checksum of one file.
type Hash struct {
	FileName string `json:"fileName,omitempty"`
	Hash     string `json:"hash,omitempty"`
	TypeName string `json:"typeName,omitempty"`
}

// Link refers to a related resource of Atlas.
type Link struct {
	Href string `json:"href,omitempty"`
	Rel  string `json:"rel,omitempty"`
}
