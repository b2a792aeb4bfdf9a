// @vitest-environment node
import { readFile } from 'node:fs/promises'
import { astToString, default as openapiTypes } from 'openapi-typescript'
import { expect, test } from 'vitest'

/** The frontend's folder, where npm runs the tests. */
const here = (path: string) => new URL(path, `file://${process.cwd()}/`)

test('schema.ts is what the server’s document generates', async () => {
  const generated = astToString(await openapiTypes(here('openapi.json')))
  const kept = await readFile(here('src/api/schema.ts'), 'utf8')
  // Only the command adds the two lines that say where the file comes from.
  const said = kept.slice(kept.indexOf('export interface paths'))
  expect(said === generated, 'run `npm run types`').toBe(true)
})
