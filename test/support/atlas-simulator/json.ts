/** A JSON value, as `JSON.stringify` writes it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object: the type of every job body. Deliberately no schema, so that tests can serve what no schema allows. */
export interface JsonObject {
  readonly [member: string]: JsonValue;
}
