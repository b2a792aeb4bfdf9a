/** One thing at a time that a button does: whether it is under way, and the sentence if it failed. */
import { ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { ApiError } from '@/api/problem'

export function useAction() {
  const { t } = useI18n()
  const isBusy = ref(false)
  const trouble = ref<string | null>(null)

  async function run(action: () => Promise<void>): Promise<boolean> {
    if (isBusy.value) return false
    isBusy.value = true
    trouble.value = null
    try {
      await action()
      return true
    } catch (cause) {
      trouble.value =
        cause instanceof ApiError ? cause.problem.detail || cause.problem.title : t('read.noAnswer')
      return false
    } finally {
      isBusy.value = false
    }
  }

  return { isBusy, trouble, run }
}
