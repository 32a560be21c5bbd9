import { SessionError } from './errors.ts'

/** The part of a Standard Schema (standardschema.dev, version 1) that is used here. Zod, Valibot, ArkType and others make them. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult | PromiseLike<SchemaResult>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

export type SchemaResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** One schema for the whole data object, or one per key. */
export type DataSchema<Data> = StandardSchema<Data> | { readonly [Key in keyof Data]?: StandardSchema<Data[Key]> }

/** The value as the schema gives it back, or the news that it does not fit. */
export type Validated = { readonly fits: true; readonly value: unknown } | { readonly fits: false }

/** Validates one decoded entry of the data namespace; `others` gives the rest of the data to a schema of the whole. */
export type EntryValidator = (key: string, value: unknown, others: () => Record<string, unknown>) => Validated

export function entryValidator<Data>(schema: DataSchema<Data>): EntryValidator {
  if (isStandardSchema(schema)) return (key, value, others) => validateInWhole(schema, key, value, others)
  const byKey = new Map<string, StandardSchema>()
  for (const [key, part] of Object.entries(schema)) {
    if (!isStandardSchema(part)) throw new SessionError('ERR_SESSION_OPTION', `schema.${key} is not a Standard Schema. Pass one of Zod, Valibot or ArkType.`)
    byKey.set(key, part)
  }
  return (key, value) => {
    const part = byKey.get(key)
    return part === undefined ? { fits: true, value } : fitted(validateNow(part, value))
  }
}

// An object schema speaks about all keys at once. What it says about other keys does not concern this entry;
// its output (defaults, coercion) counts only when everything fits.
function validateInWhole(schema: StandardSchema, key: string, value: unknown, others: () => Record<string, unknown>): Validated {
  const alone = validateNow(schema, { [key]: value })
  if (alone.issues === undefined) return outputOf(alone.value, key, value)
  const concerned = (issue: SchemaIssue): boolean => issue.path === undefined || issue.path.length === 0 || firstKey(issue) === key
  if (alone.issues.some((issue) => firstKey(issue) === key)) return { fits: false }
  const together = validateNow(schema, { ...others(), [key]: value })
  if (together.issues === undefined) return outputOf(together.value, key, value)
  return together.issues.some(concerned) ? { fits: false } : { fits: true, value }
}

function outputOf(output: unknown, key: string, value: unknown): Validated {
  const known = typeof output === 'object' && output !== null && Object.hasOwn(output, key)
  return { fits: true, value: known ? Reflect.get(output, key) : value }
}

function firstKey(issue: SchemaIssue): PropertyKey | undefined {
  const first = issue.path?.[0]
  return typeof first === 'object' ? first.key : first
}

function fitted(result: SchemaResult): Validated {
  return result.issues === undefined ? { fits: true, value: result.value } : { fits: false }
}

function validateNow(schema: StandardSchema, value: unknown): SchemaResult {
  const result = schema['~standard'].validate(value)
  if ('then' in result) throw new SessionError('ERR_SESSION_OPTION', 'The schema validates asynchronously. Pass one without asynchronous checks.')
  return result
}

function isStandardSchema(value: unknown): value is StandardSchema {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
}
