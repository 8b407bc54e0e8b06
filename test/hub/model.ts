// Small models for the hub of the tests: real safetensors of zeros, so that what is downloaded may be opened.
import { randomFillSync } from 'node:crypto'

/** A safetensors file with one f32 tensor `name` of `count` random numbers. */
export function weights(name: string, count: number): Buffer {
  const json = Buffer.from(JSON.stringify({ [name]: { dtype: 'F32', shape: [count], data_offsets: [0, count * 4] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, randomFillSync(Buffer.alloc(count * 4)).map(byte => byte & 0x3f)])
}

/** The files of a model with one file of weights, and of what a download should leave behind. */
export function single(count = 1000): Record<string, string | Buffer> {
  return { 'config.json': '{"model_type":"gpt_neox","torch_dtype":"float32"}', 'tokenizer.json': '{"model":{}}', 'model.safetensors': weights('w', count),
    'pytorch_model.bin': 'a pickle', 'README.md': '# model', 'original/consolidated.00.pth': 'a pickle', 'onnx/model.onnx': 'another copy' }
}

/** The files of a model with `shards` shards, and one shard that its index does not name. */
export function sharded(shards: number, count = 1000): Record<string, string | Buffer> {
  const names = Array.from({ length: shards }, (_, i) => `model-0000${i + 1}-of-0000${shards}.safetensors`)
  const map = Object.fromEntries(names.map((name, i) => [`w${i}`, name]))
  return { 'config.json': '{"model_type":"llama","dtype":"bfloat16"}',
    'model.safetensors.index.json': JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }),
    'consolidated.safetensors': weights('again', 10), ...Object.fromEntries(names.map((name, i) => [name, weights(`w${i}`, count)])) }
}
