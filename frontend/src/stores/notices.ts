/**
 * Short messages that confirm what was done, perhaps with something to do about it. Shown by `components/app/AppNotices.vue`.
 */
import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface NoticeAction {
  text: string
  run: () => void
}

export interface Notice {
  id: number
  text: string
  detail: string
  action: NoticeAction | null
}

const NOTICE_MS = 7_000
/** Whoever may want to do something needs longer. */
const ACTION_MS = 15_000

export const useNotices = defineStore('notices', () => {
  const notices = ref<Notice[]>([])
  const timers = new Map<number, ReturnType<typeof setTimeout>>()
  let last = 0

  function tell(text: string, detail = '', action: NoticeAction | null = null): void {
    const notice = { id: ++last, text, detail, action }
    notices.value = [...notices.value, notice].slice(-3)
    goOn(notice)
  }

  /** Somebody reads it: it stays until they have gone on. */
  function hold({ id }: Notice): void {
    clearTimeout(timers.get(id))
  }

  function goOn({ id, action }: Notice): void {
    clearTimeout(timers.get(id))
    timers.set(
      id,
      setTimeout(() => dismiss(id), action ? ACTION_MS : NOTICE_MS),
    )
  }

  function dismiss(id: number): void {
    clearTimeout(timers.get(id))
    timers.delete(id)
    notices.value = notices.value.filter((notice) => notice.id !== id)
  }

  return { notices, tell, hold, goOn, dismiss }
})
