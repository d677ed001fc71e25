package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/icholy/digest"

	"github.com/atlasrestore/legacy-restore-operator/bench/peers/controller-runtime/api"
)

// APIKey is an Atlas API key.
type APIKey struct {
	Public, Private string
}

// Atlas fetches restore jobs. Each API key has a client of its own, which reuses its nonce and its connections.
type Atlas struct {
	baseURL   string
	transport http.RoundTripper
	mu        sync.Mutex
	clients   map[APIKey]*http.Client
}

// NewAtlas returns a client that keeps as many connections as there can be requests at once.
func NewAtlas(baseURL string, concurrency int) *Atlas {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = concurrency
	return &Atlas{baseURL: baseURL, transport: transport, clients: map[APIKey]*http.Client{}}
}

// Fetch returns the restore job that a spec names.
func (a *Atlas) Fetch(ctx context.Context, key APIKey, spec api.Spec) (api.RestoreJob, error) {
	var job api.RestoreJob
	target := fmt.Sprintf("%s/api/atlas/v1.0/groups/%s/clusters/%s/restoreJobs/%s", a.baseURL,
		url.PathEscape(spec.GroupID), url.PathEscape(spec.ClusterName), url.PathEscape(spec.JobID))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return job, err
	}
	request.Header.Set("Accept", "application/json")
	answer, err := a.client(key).Do(request)
	if err != nil {
		return job, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return job, fmt.Errorf("Atlas answered %s", answer.Status)
	}
	return job, json.NewDecoder(answer.Body).Decode(&job)
}

func (a *Atlas) client(key APIKey) *http.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	client, known := a.clients[key]
	if !known {
		transport := &digest.Transport{Username: key.Public, Password: key.Private, Transport: a.transport}
		client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
		a.clients[key] = client
	}
	return client
}
