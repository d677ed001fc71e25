/** What roles grant, and what was used of it, by the API server's own account. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import type { Role } from './manifests.ts';

/** One verb on one resource. */
export interface Permission {
  /** Absent: in the whole cluster. */
  readonly namespace: string | undefined;
  /** With the group and the subresource, such as `legacyrestorejobs.atlasrestore.dev/status`. */
  readonly resource: string;
  readonly verb: string;
  /** Absent in a grant: of whatever name. */
  readonly name: string | undefined;
}

/** A request to the API server for a resource. */
export interface Use extends Permission {
  readonly allowed: boolean;
}

/** Every single permission of the roles. A Role grants in its own namespace. */
export const grantsOf = (roles: readonly Role[]): readonly Permission[] =>
  roles.flatMap(({ kind, metadata, rules }) =>
    rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [undefined] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) =>
            resourceNames.map((name) => ({
              namespace: kind === 'Role' ? metadata.namespace : undefined,
              resource: resourceId(group, ...resource.split('/')),
              verb,
              name,
            })),
          ),
        ),
      ),
    ),
  );

/** The requests of a user for resources, each once. Others, such as for /openapi, need no grant of the chart. */
export async function usesOf(auditLog: string, user: string): Promise<readonly Use[]> {
  const uses = new Map<string, Use>();
  for await (const line of createInterface(createReadStream(auditLog))) {
    // Most lines are of others; and a file that grows can end in half a line.
    if (!line.includes(`"${user}"`) || !line.endsWith('}')) continue;
    const use = useOf(AuditEvent.parse(JSON.parse(line)), user);
    if (use !== undefined) uses.set(JSON.stringify(use), use);
  }
  return [...uses.values()];
}

/** Whether a grant allows a use. */
export const covers = (grant: Permission, use: Permission): boolean =>
  grant.resource === use.resource &&
  grant.verb === use.verb &&
  (grant.namespace === undefined || grant.namespace === use.namespace) &&
  (grant.name === undefined || grant.name === use.name);

/** As `get secrets in payments named atlas-key`. */
export const describePermission = ({ verb, resource, namespace, name }: Permission): string =>
  [
    `${verb} ${resource}`,
    ...(namespace === undefined ? [] : [`in ${namespace}`]),
    ...(name === undefined ? [] : [`named ${name}`]),
  ].join(' ');

const AuditEvent = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z
    .object({
      apiGroup: z.string().default(''),
      resource: z.string(),
      subresource: z.string().optional(),
      namespace: z.string().optional(),
      name: z.string().optional(),
    })
    .optional(),
  annotations: z.record(z.string(), z.string()).default({}),
});

function useOf({ verb, user, objectRef, annotations }: z.infer<typeof AuditEvent>, of: string): Use | undefined {
  if (user.username !== of || objectRef === undefined) return undefined;
  const { apiGroup, resource, subresource, namespace, name } = objectRef;
  return {
    namespace,
    resource: resourceId(apiGroup, resource, subresource),
    verb,
    // A rule cannot restrict create to names: the object has none yet when it is decided.
    name: verb === 'create' ? undefined : name,
    allowed: annotations['authorization.k8s.io/decision'] === 'allow',
  };
}

function resourceId(group: string, resource = '', subresource?: string): string {
  const full = group === '' ? resource : `${resource}.${group}`;
  return subresource === undefined ? full : `${full}/${subresource}`;
}
