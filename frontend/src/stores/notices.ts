/** Short messages that confirm what was done. Shown by `components/app/AppNotices.vue`. */
import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface Notice {
  id: number
  text: string
  detail: string
}

const NOTICE_MS = 7_000

export const useNotices = defineStore('notices', () => {
  const notices = ref<Notice[]>([])
  let last = 0

  function tell(text: string, detail = ''): void {
    const id = ++last
    notices.value = [...notices.value, { id, text, detail }].slice(-3)
    setTimeout(() => dismiss(id), NOTICE_MS)
  }

  function dismiss(id: number): void {
    notices.value = notices.value.filter((notice) => notice.id !== id)
  }

  return { notices, tell, dismiss }
})
