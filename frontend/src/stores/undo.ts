/** Deleted books that somebody wants back. `App.vue` shows the dialog that adds them again while there are any. */
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'
import type { Book } from '@/api/types'

export const useUndo = defineStore('undo', () => {
  const books = shallowRef<Book[]>([])

  function ask(deleted: Book[]): void {
    books.value = deleted
  }

  function end(): void {
    books.value = []
  }

  return { books, ask, end }
})
