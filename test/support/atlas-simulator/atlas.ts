import { createAccessTokens } from './access-tokens.ts';
import { type Answer, type AnswerFormat, PLAIN } from './answer.ts';
import { apiErrorAnswer, resourceNotFoundError } from './api-error.ts';
import { type AtlasRequest, formatOf } from './atlas-request.ts';
import { authenticate } from './authentication.ts';
import { schemeOf } from './authorization.ts';
import type { Behavior } from './behavior.ts';
import { type Credentials, createCredentials } from './credentials.ts';
import { createDigestCheck } from './digest-check.ts';
import { createFaultSource, type FaultFacts, type Faults, replyWithFault } from './faults.ts';
import { answerJobRequest } from './job-endpoint.ts';
import { createJobs, type Jobs } from './jobs.ts';
import { answerOAuthRequest, authenticateClient } from './oauth.ts';
import { createMinuteWindows, createTokenBuckets } from './rate-limit.ts';
import type { Reply } from './reply.ts';
import { createRequestRecorder, type Refusal, type RequestRecorder } from './request-log.ts';

/** Atlas without a network: state, and the reply to a request. */
export interface Atlas {
  readonly credentials: Credentials;
  readonly jobs: Jobs;
  readonly faults: Faults;
  readonly recorder: RequestRecorder;
  revokeAllTokens(clientId: string): void;
  expireNonces(): void;
  /** Rejects with an AbortError when `stopped` fires during a delay. */
  reply(request: AtlasRequest, stopped: AbortSignal): Promise<Reply>;
}

/** `now` in milliseconds since the epoch: every lifetime, limit and job timeline is measured with it. */
export function createAtlas(behavior: () => Behavior, now: () => number): Atlas {
  const credentials = createCredentials();
  const jobs = createJobs(now);
  const tokens = createAccessTokens(now);
  const recorder = createRequestRecorder();
  const faultSource = createFaultSource();
  const digest = createDigestCheck(behavior, now, (publicKey) => credentials.apiKey(publicKey)?.privateKey);
  const jobEndpoint = { jobs, behavior, takeToken: createTokenBuckets(now) };
  const oauthEndpoint = { credentials, tokens, behavior, noteRequest: createMinuteWindows(now) };

  function admit(request: AtlasRequest): Admission {
    if (request.route.kind === 'token' || request.route.kind === 'revoke') {
      const client = authenticateClient(request, oauthEndpoint);
      if (client.kind === 'refused') return client;
      const answer = () => answerOAuthRequest(request, client.clientId, oauthEndpoint);
      return { kind: 'accepted', format: PLAIN, answer };
    }
    if (!/^\/api\/(atlas|public)\//.test(request.target)) {
      return { kind: 'refused', answer: apiErrorAnswer(resourceNotFoundError(request.target)) };
    }
    const caller = authenticate(request, { credentials, digest, tokens });
    if (caller.kind === 'refused') return caller;
    const answer = () => answerJobRequest(request, caller.access, jobEndpoint);
    return { kind: 'accepted', format: formatOf(request).format, answer };
  }

  function replyAfterFaults(request: AtlasRequest, facts: FaultFacts, stopped: AbortSignal): Promise<Reply> {
    const admission = admit(request);
    if (admission.kind === 'refused') {
      if (admission.refusal !== undefined) recorder.refused(admission.refusal);
      return answered(admission.answer);
    }
    const { format, answer } = admission;
    return replyWithFault(faultSource.take('after-auth', facts), () => answered(answer()), { format, stopped });
  }

  function factsOf({ route, authorization }: AtlasRequest): FaultFacts {
    return {
      kind: route.kind,
      groupId: route.kind === 'job' || route.kind === 'list' ? route.groupId : undefined,
      clusterName: route.kind === 'job' || route.kind === 'list' ? route.clusterName : undefined,
      jobId: route.kind === 'job' ? route.jobId : undefined,
      publicKey: authorization.kind === 'digest' ? authorization.parameters.get('username')?.value : undefined,
      clientId: clientOf(authorization),
    };
  }

  function clientOf(authorization: AtlasRequest['authorization']): string | undefined {
    if (authorization.kind === 'basic') return authorization.username;
    return authorization.kind === 'bearer' ? tokens.ownerOf(authorization.token) : undefined;
  }

  return {
    credentials: {
      ...credentials,
      removeServiceAccount(clientId) {
        credentials.removeServiceAccount(clientId);
        tokens.revokeAll(clientId);
      },
    },
    jobs,
    faults: faultSource.faults,
    recorder,
    revokeAllTokens: (clientId) => tokens.revokeAll(clientId),
    expireNonces: () => digest.expireNonces(),
    reply(request, stopped) {
      recorder.arrived(request.route, schemeOf(request.authorization));
      const facts = factsOf(request);
      return replyWithFault(faultSource.take('before-auth', facts), () => replyAfterFaults(request, facts, stopped), {
        stopped,
      });
    },
  };
}

// Whether a request gets as far as what it asks for.
type Admission =
  | { readonly kind: 'accepted'; readonly format: AnswerFormat; readonly answer: () => Answer }
  | { readonly kind: 'refused'; readonly answer: Answer; readonly refusal?: Refusal };

function answered(answer: Answer): Promise<Reply> {
  return Promise.resolve({ kind: 'answer', answer });
}
