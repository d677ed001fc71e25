/** Asks the API server whether this client may do something: a refusal alone does not tell an authorizer from a policy. */
import * as z from 'zod';
import type { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import type { ObjectType } from './response.ts';

export interface ResourceAction {
  readonly verb: 'get' | 'create' | 'patch';
  /** Plural, of the core API group. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Undefined where the API server does not say. Never rejects with KubeError. */
export async function isAllowed(client: KubeClient, action: ResourceAction): Promise<boolean | undefined> {
  try {
    const review = await client.request({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      returns: REVIEW,
      body: { ...REVIEW, spec: { resourceAttributes: action } },
    });
    return Review.safeParse(review).data?.status.allowed;
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
}

const REVIEW: ObjectType = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' };

const Review = z.object({ status: z.object({ allowed: z.boolean() }) });
