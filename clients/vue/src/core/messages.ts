/** Words of the client. What the service says comes in the same language, by Accept-Language. */

export type Locale = 'en' | 'zh'

const en = {
  // Errors that the service cannot tell.
  networkFailed:
    'The service could not be reached. Check the connection, then try again; nothing is sent twice.',
  streamSilent: 'The connection fell silent.',
  wrongType: '“{name}” is not a recording. Choose audio, or a video with sound.',
  emptyFile: '“{name}” is empty. Check that the recording was saved.',
  tooLarge: '“{name}” has {size}; at most {limit} can be sent. Send a shorter recording.',
  tooLargeForProxy: 'The recording is larger than the server in front of the service lets through.',
  tokenFailed: 'This page got no permission to use the service. Log in again.',
  tokenRefused:
    'The service did not accept the token of this page. Reload the page, or tell whoever runs it.',
  unreadableAnswer: 'The service answered with status {status} and no explanation. Try again later.',
  // The component.
  label: 'Transcribe a recording',
  drop: 'Drop a recording here, or',
  choose: 'Choose a file',
  record: 'Record',
  stopRecording: 'Stop and transcribe',
  discardRecording: 'Discard',
  recording: 'Recording, {time}',
  level: 'Microphone level',
  noMicrophone: 'No microphone was found. Connect one, or choose a file.',
  microphoneRefused: 'The microphone may not be used. Allow it in the browser, or choose a file.',
  microphoneInsecure: 'Browsers give the microphone to pages on HTTPS or localhost only.',
  microphoneFailed: 'The microphone could not be used: {reason}',
  recordingUnsupported: 'This browser cannot record. Choose a file instead.',
  uploading: 'Sending “{name}”, {percent}%',
  queued: 'Waiting for its turn',
  processing: 'Transcribing, {percent}%',
  reconnecting: 'The connection broke; reconnecting. The service works on.',
  completed: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  serviceGoesOn: 'Cancelled on this page only: the service still finishes it.',
  cancel: 'Cancel',
  retry: 'Try again',
  again: 'Another recording',
  text: 'Text',
  noSpeech: 'No speech was heard.',
  copy: 'Copy text',
  copied: 'Copied',
  copyFailed: 'The text could not be copied. Select it and copy it by keyboard.',
  download: 'Download as {format}',
  networkError: 'Network:',
  serviceError: 'Service:',
  formatError: 'Recording:',
  requestId: 'Request id: {id}',
  progress: 'Progress',
}

/** Every word of the client by its key; `{name}` is filled in. */
export type Messages = Record<keyof typeof en, string>

const zh: Messages = {
  networkFailed: '无法连接到服务。请检查网络后重试，不会重复提交。',
  streamSilent: '连接没有响应。',
  wrongType: '“{name}”不是录音文件。请选择音频或带声音的视频。',
  emptyFile: '“{name}”是空文件。请检查录音是否已保存。',
  tooLarge: '“{name}”的大小为 {size}，最多可上传 {limit}。请上传较短的录音。',
  tooLargeForProxy: '录音超过了服务前面的服务器允许的大小。',
  tokenFailed: '本页面没有获得使用服务的许可。请重新登录。',
  tokenRefused: '服务没有接受本页面的令牌。请刷新页面，或告知网站管理者。',
  unreadableAnswer: '服务返回状态 {status}，没有说明原因。请稍后重试。',
  label: '语音转文字',
  drop: '将录音拖到此处，或',
  choose: '选择文件',
  record: '录音',
  stopRecording: '停止并识别',
  discardRecording: '放弃',
  recording: '正在录音，{time}',
  level: '麦克风音量',
  noMicrophone: '没有找到麦克风。请连接麦克风，或选择文件。',
  microphoneRefused: '不能使用麦克风。请在浏览器中允许，或选择文件。',
  microphoneInsecure: '浏览器只允许 HTTPS 或 localhost 页面使用麦克风。',
  microphoneFailed: '无法使用麦克风：{reason}',
  recordingUnsupported: '此浏览器不支持录音。请选择文件。',
  uploading: '正在上传“{name}”，{percent}%',
  queued: '排队中',
  processing: '正在识别，{percent}%',
  reconnecting: '连接中断，正在重新连接。服务仍在继续工作。',
  completed: '已完成',
  failed: '失败',
  cancelled: '已取消',
  serviceGoesOn: '仅在本页面取消：服务仍会完成识别。',
  cancel: '取消',
  retry: '重试',
  again: '换一段录音',
  text: '文本',
  noSpeech: '没有听到语音。',
  copy: '复制文本',
  copied: '已复制',
  copyFailed: '无法复制文本。请选中后用键盘复制。',
  download: '下载 {format}',
  networkError: '网络错误：',
  serviceError: '服务错误：',
  formatError: '格式错误：',
  requestId: '请求编号：{id}',
  progress: '进度',
}

export const MESSAGES: Record<Locale, Messages> = { en, zh }
/** Accept-Language of the service's own messages. */
export const ACCEPT_LANGUAGE: Record<Locale, string> = { en: 'en', zh: 'zh-hans' }

/** Return the words of a language, with those that the page has of its own. */
export function messagesFor(locale: Locale, own: Partial<Messages> = {}): Messages {
  return { ...MESSAGES[locale], ...own }
}

/** Return a message with its `{name}`s filled in. */
export function fill(message: string, values: Record<string, string | number>): string {
  return message.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
