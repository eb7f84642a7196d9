import protobuf from 'protobufjs';

/** The part of JSON Schema that viewers read: everything is an object with properties, a list or a scalar. */
export interface JsonSchema {
  readonly type: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  readonly title?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly contentEncoding?: 'base64';
}

// Messages may contain themselves; what lies deeper is left open.
const mostLevels = 6;

/** The JSON of a type in service calls: always an object; bare values stand in its `value` (see `call-json.ts`). */
export function jsonSchema(type: protobuf.Type): JsonSchema {
  const title = type.fullName.slice(1);
  const bare = bareSchema(type);
  if (bare === undefined) return { title, ...messageSchema(type, 0) };
  return { title, type: 'object', properties: { value: bare } };
}

/** The schema of a type whose natural JSON is no object of its fields; undefined for all others. */
function bareSchema(type: protobuf.Type): JsonSchema | undefined {
  const name = type.fullName.slice(1);
  if (name === 'google.protobuf.Value' || name === 'google.protobuf.ListValue') return openSchema;
  if (name === 'google.protobuf.Timestamp' || name === 'google.protobuf.FieldMask') return { type: 'string' };
  const isWrapper = name.startsWith('google.protobuf.') && name.endsWith('Value');
  return isWrapper && type.fields.value !== undefined ? fieldSchema(type.fields.value, 0) : undefined;
}

const openSchema: JsonSchema = { type: 'object', properties: {} };

function messageSchema(type: protobuf.Type, level: number): JsonSchema {
  if (level >= mostLevels || type.fullName === '.google.protobuf.Struct') return openSchema;
  const properties = type.fieldsArray.map((field) => [field.name, fieldSchema(field.resolve(), level + 1)]);
  return { type: 'object', properties: Object.fromEntries(properties) };
}

function fieldSchema(field: protobuf.Field, level: number): JsonSchema {
  if (field.map) return openSchema;
  const single = singleSchema(field, level);
  if (!field.repeated) return single;
  // Viewers know lists of texts, but not of base64.
  const { contentEncoding: _, ...items } = single;
  return items.type === 'array' ? single : { type: 'array', items };
}

function singleSchema(field: protobuf.Field, level: number): JsonSchema {
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Enum) return { type: 'string' };
  if (resolvedType instanceof protobuf.Type) return bareSchema(resolvedType) ?? messageSchema(resolvedType, level);
  if (field.type === 'bytes') return { type: 'string', contentEncoding: 'base64' };
  if (field.type === 'bool') return { type: 'boolean' };
  if (field.type === 'double' || field.type === 'float') return { type: 'number' };
  return field.type === 'string' || field.type.endsWith('64') ? { type: 'string' } : { type: 'integer' };
}
