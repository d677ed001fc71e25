/**
 * Atlas's ApiError under Atlas's own names: what a failed request says of itself, and what status.failure shows.
 *
 * As in the rest of status, no field has a format, a pattern or bounds in the schema: one odd value would make the API
 * server refuse the whole status. `boundedFailure` keeps the values small instead.
 */
import * as z from 'zod';

/** One member of a request that Atlas finds wrong. */
const FieldError = z
  .object({
    field: z.string().meta({ description: 'Name of the field.' }).exactOptional(),
    description: z.string().meta({ description: 'What is wrong with it.' }).exactOptional(),
  })
  .meta({ description: 'One field of the request that Atlas finds wrong.' });

/** An error as Atlas describes it. Every field is optional: gateways send parts of it. */
export const ApiError = z.object({
  error: z.int().meta({ description: 'HTTP status code of the response.', format: 'int64' }).exactOptional(),
  errorCode: z
    .string()
    .meta({ description: "Atlas's name for the error; of the Kubernetes API server, the reason of its Status." })
    .exactOptional(),
  reason: z.string().meta({ description: 'Phrase that belongs to the HTTP status code.' }).exactOptional(),
  detail: z
    .string()
    .meta({ description: 'The error in words, or the cause where there was no response.' })
    .exactOptional(),
  parameters: z
    .array(z.string())
    .meta({ description: 'What the detail is about, such as ids and names, as strings.' })
    .exactOptional(),
  badRequestDetail: z
    .object({
      fields: z
        .array(FieldError)
        .meta({ description: 'The fields of the request that Atlas finds wrong.' })
        .exactOptional(),
    })
    .meta({ description: 'What is wrong with the request.' })
    .exactOptional(),
});
export type ApiError = Readonly<z.infer<typeof ApiError>>;

/**
 * How a request to Atlas failed.
 *
 * refused: Atlas answered with an error that the same request will meet again.
 * rateLimited: Atlas answered 429.
 * unavailable: no response, or one that says that Atlas itself has a problem.
 * invalidResponse: a response that is not one of Atlas's: HTML, cut off, too large, a redirect.
 * unsupported: what this process, or the API that is asked, cannot do.
 */
export type AtlasErrorKind = 'refused' | 'rateLimited' | 'unavailable' | 'invalidResponse' | 'unsupported';
