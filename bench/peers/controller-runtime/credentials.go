package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// How long a Secret is not read again: many resources share one.
const credentialsAge = 30 * time.Second

// Credentials reads API keys from Secrets.
type Credentials struct {
	client client.Client
	mu     sync.Mutex
	read   map[client.ObjectKey]readKey
}

type readKey struct {
	key APIKey
	at  time.Time
}

// NewCredentials returns an empty reader.
func NewCredentials(c client.Client) *Credentials {
	return &Credentials{client: c, read: map[client.ObjectKey]readKey{}}
}

// Get returns the API key of a Secret, at most half a minute old.
func (c *Credentials) Get(ctx context.Context, name client.ObjectKey) (APIKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.read[name]; ok && time.Since(known.at) < credentialsAge {
		return known.key, nil
	}
	var secret corev1.Secret
	if err := c.client.Get(ctx, name, &secret); err != nil {
		return APIKey{}, err
	}
	key := APIKey{Public: string(secret.Data["publicApiKey"]), Private: string(secret.Data["privateApiKey"])}
	if key.Public == "" || key.Private == "" {
		return APIKey{}, fmt.Errorf("Secret %s lacks publicApiKey or privateApiKey", name)
	}
	c.read[name] = readKey{key: key, at: time.Now()}
	return key, nil
}
