// Conversations to text by the template of a tokenizer's folder. Templates are Jinja, run by @huggingface/jinja, which is loaded when the first is used.
// What a template sees is what the `transformers` library shows it: messages, tools, documents, add_generation_prompt, the special tokens by
// their names (bos_token …), raise_exception, strftime_now, and what the caller adds.
import { createRequire } from 'node:module'
import { closed, flag, invalid, text as nonEmpty } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { isObject, type TokenizerFiles } from './files.ts'

/** One message; templates read what else they know (`tool_calls`, `name`, …). */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, `tool`, … as the template knows them. */
  readonly role: string
  readonly content?: unknown
  readonly [field: string]: unknown
}

/** How a conversation becomes text. */
export interface ChatOptions {
  /** Ends with the head of the assistant's next message (default false, as in transformers). */
  readonly addGenerationPrompt?: boolean
  /** JSON schemas of the functions that the model may call. */
  readonly tools?: readonly object[]
  /** Documents for templates that quote them. */
  readonly documents?: readonly object[]
  /** The template's name where the folder has several (default: "tool_use" if tools are given and there is one, else "default"). */
  readonly template?: string
  /** More variables for the template; they go before the special tokens of the same names. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** The time that the template is told (default: now). */
  readonly now?: Date
}

// What is used of @huggingface/jinja. Not its Template: that one sets raise_exception and strftime_now itself, the second in the machine's language.
interface Scope { set(name: string, value: unknown): void }
interface Jinja {
  readonly tokenize: (source: string, options: { lstrip_blocks: boolean, trim_blocks: boolean }) => unknown
  readonly parse: (tokens: unknown) => unknown
  readonly Environment: new () => Scope
  readonly Interpreter: new (scope: Scope) => { run(program: unknown): { readonly value: unknown } }
}

const jinja = (): Jinja => createRequire(import.meta.url)('@huggingface/jinja') as Jinja
const CONSTANTS = { true: true, false: false, none: null, True: true, False: false, None: null, range }
const OPTIONS = ['addGenerationPrompt', 'tools', 'documents', 'template', 'variables', 'now']

/** The chat templates of one tokenizer. */
export class ChatTemplates {
  readonly #files: TokenizerFiles
  readonly #parsed = new Map<string, unknown>()

  constructor(files: TokenizerFiles) { this.#files = files }

  /** See `Tokenizer.chat`. */
  render(messages: readonly ChatMessage[], options: ChatOptions): string {
    check(messages, options)
    const { addGenerationPrompt = false, tools = null, documents = null, variables = {}, now = new Date() } = options
    const program = this.#program(options), named = [...this.#files.named].filter(([name]) => name.endsWith('_token'))
    const refuse = (why: unknown): never => { throw new TransweldError('ERR_INVALID_ARGUMENT', `the chat template refuses these messages: ${String(why)}`) }
    try {
      const { Environment, Interpreter } = jinja(), scope = new Environment()
      for (const [name, value] of Object.entries({
        ...CONSTANTS, ...Object.fromEntries(named), messages, tools, documents, add_generation_prompt: addGenerationPrompt,
        raise_exception: refuse, strftime_now: (format: unknown) => formatTime(now, String(format)), ...variables,
      })) scope.set(name, value)
      return String(new Interpreter(scope).run(program).value)
    } catch (error) {
      if (error instanceof TransweldError) throw error
      throw new TransweldError('ERR_UNSUPPORTED', `the chat template in ${this.#files.folder} failed: ${(error as Error).message}`, { cause: error })
    }
  }

  #program({ template: asked, tools }: ChatOptions): unknown {
    const { templates, folder } = this.#files, name = asked ?? (tools !== undefined && templates.has('tool_use') ? 'tool_use' : 'default')
    const known = this.#parsed.get(name), source = templates.get(name)
    if (known !== undefined) return known
    if (source === undefined) {
      const names = [...templates.keys()].join(', '), what = asked === undefined ? 'no chat template' : `no chat template "${asked}"`
      const hint = names ? `. Known: ${names}` : `: expected chat_template.jinja or the field chat_template of tokenizer_config.json. \
Base models have none; write the prompt as text`
      throw new TransweldError('ERR_UNSUPPORTED', `${what} in ${folder}${hint}`)
    }
    try {
      const { parse, tokenize } = jinja(), program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })) // as transformers does
      this.#parsed.set(name, program)
      return program
    } catch (error) {
      throw new TransweldError('ERR_FORMAT', `the chat template "${name}" in ${folder} cannot be read: ${(error as Error).message}`, { cause: error })
    }
  }
}

// Jinja's range(stop) or range(start, stop, step).
function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop]
  return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step)
}

function check(messages: readonly ChatMessage[], options: ChatOptions): void {
  if (!Array.isArray(messages) || messages.length === 0) throw invalid('messages', 'a list of at least one message', messages)
  messages.forEach((message: unknown, i) => {
    if (!isObject(message) || typeof message['role'] !== 'string') throw invalid(`messages[${i}]`, 'an object with a "role"', message)
  })
  closed('options', options, OPTIONS)
  const { addGenerationPrompt, tools, documents, template, variables, now } = options
  if (addGenerationPrompt !== undefined) flag('addGenerationPrompt', addGenerationPrompt)
  if (template !== undefined) nonEmpty('template', template)
  for (const [what, list] of [['tools', tools], ['documents', documents]] as const) {
    if (list !== undefined && !(Array.isArray(list) && list.every(isObject))) throw invalid(what, 'a list of objects', list)
  }
  if (variables !== undefined && !isObject(variables)) throw invalid('variables', 'an object', variables)
  if (now !== undefined && !(now instanceof Date && !Number.isNaN(now.getTime()))) throw invalid('now', 'a valid Date', now)
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

// Python's strftime in English, local time; a letter that is not known stays as it is.
function formatTime(date: Date, format: string): string {
  const two = (n: number): string => String(n).padStart(2, '0'), month = MONTHS[date.getMonth()]!, weekday = DAYS[date.getDay()]!
  const hours = date.getHours(), [hour, minute, second] = [hours, date.getMinutes(), date.getSeconds()].map(two) as [string, string, string]
  const year = String(date.getFullYear()), monthNumber = two(date.getMonth() + 1), day = two(date.getDate())
  const values: Readonly<Record<string, string>> = {
    Y: year, y: year.slice(-2), m: monthNumber, B: month, b: month.slice(0, 3), d: day, e: String(date.getDate()).padStart(2),
    A: weekday, a: weekday.slice(0, 3), H: hour, I: two(hours % 12 || 12), M: minute, S: second, p: hours < 12 ? 'AM' : 'PM',
    F: `${year}-${monthNumber}-${day}`, T: `${hour}:${minute}:${second}`, R: `${hour}:${minute}`, '%': '%',
  }
  return format.replace(/%(.)/g, (whole, letter: string) => values[letter] ?? whole)
}
