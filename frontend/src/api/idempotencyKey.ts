/** Idempotency keys: one per form content, so that a retry of the same content can do nothing twice. */

/**
 * A fresh random key. `crypto.randomUUID` exists only in secure contexts (https or loopback);
 * `crypto.getRandomValues` exists everywhere.
 */
export function freshKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Remembers the key of the content that was sent last. */
export class KeyKeeper {
  private kept: { content: string; key: string } | null = null

  /** The key for this content: the same one as before if the content is the same. */
  keyFor(content: string): string {
    if (this.kept?.content !== content) this.kept = { content, key: freshKey() }
    return this.kept.key
  }

  /** After an outcome that can never change, the next attempt is a new request. */
  forget(): void {
    this.kept = null
  }
}
