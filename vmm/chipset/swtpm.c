/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Theory of operation: two socket pairs; swtpm inherits one end of the first (control) and is sent one end of the second (commands). As both
 * are made here, there is no path that two machines could share, and swtpm ends by itself when our end closes (--terminate). Integers are
 * big-endian. The process runs a command and answers control messages in one thread, so a request to cancel may be answered only after the
 * command; its answer is then read before the next control message. */
#include "chipset/swtpm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* swtpm_ioctls(3), "Control channel" */
#define SWT_GET_CAPABILITY 0x01
#define SWT_INIT 0x02
#define SWT_SHUTDOWN 0x03
#define SWT_CANCEL 0x09
#define SWT_STOP 0x0e
#define SWT_SET_DATAFD 0x10
#define SWT_SET_BUFFERSIZE 0x11

#define SWT_CAP_INIT (1u << 0)
#define SWT_CAP_SHUTDOWN (1u << 1)
#define SWT_CAP_STOP (1u << 10)
#define SWT_CAP_SET_DATAFD (1u << 12)
#define SWT_CAP_NEEDED (SWT_CAP_INIT | SWT_CAP_SHUTDOWN | SWT_CAP_STOP | SWT_CAP_SET_DATAFD)
#define SWT_CAP_SET_BUFFERSIZE (1u << 13)

#define SWT_CHILD_CONTROL_FD 3 /* what the child knows our control line as */
#define SWT_CONTROL_TIMEOUT_S 20
#define SWT_END_TIMEOUT_MS 3000

struct _VmmSwtpm {
  GPid pid; /* 0: none */
  int control, data;
  int wake;              /* eventfd: vmm_swtpm_cancel() */
  guint cancels_pending; /* answers to SWT_CANCEL that were not read yet */
  char *log_path;        /* (nullable) */
};

static gboolean
swt_failed (VmmSwtpm *tpm, const char *what, int error_number, GError **error)
{
  g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "swtpm: %s: %s%s%s", what,
               error_number != 0 ? g_strerror (error_number) : "it ended", tpm->log_path != NULL ? "; see " : "",
               tpm->log_path != NULL ? tpm->log_path : "");
  return FALSE;
}

static gboolean
swt_send_all (int fd, const guint8 *data, gsize len)
{
  while (len > 0)
    {
      gssize n = send (fd, data, len, MSG_NOSIGNAL);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* Returns: FALSE with errno 0 if the other end is closed. */
static gboolean
swt_receive_all (int fd, guint8 *data, gsize len)
{
  while (len > 0)
    {
      gssize n = recv (fd, data, len, 0);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          if (n == 0)
            errno = 0;
          return FALSE;
        }
      data += n;
      len -= (gsize) n;
    }
  return TRUE;
}

/* One control message. @fd: -1, or a descriptor that goes with it. */
static gboolean
swt_send_control (VmmSwtpm *tpm, const guint32 *words, guint n_words, int fd)
{
  guint32 raw[2];
  struct iovec iov = { raw, n_words * sizeof *raw };
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE (sizeof (int))];
  } extra = { 0 };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
  gssize n;

  g_assert (n_words <= G_N_ELEMENTS (raw));
  for (guint i = 0; i < n_words; i++)
    raw[i] = GUINT32_TO_BE (words[i]);
  if (fd >= 0)
    {
      struct cmsghdr *header;

      message.msg_control = extra.space;
      message.msg_controllen = sizeof extra.space;
      header = CMSG_FIRSTHDR (&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (sizeof fd);
      memcpy (CMSG_DATA (header), &fd, sizeof fd);
    }
  do
    n = sendmsg (tpm->control, &message, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == (gssize) iov.iov_len; /* a few bytes on a line that is otherwise empty go whole */
}

static gboolean
swt_forget_cancels (VmmSwtpm *tpm)
{
  guint8 answer[4];

  for (; tpm->cancels_pending > 0; tpm->cancels_pending--)
    if (!swt_receive_all (tpm->control, answer, sizeof answer))
      return FALSE;
  return TRUE;
}

/* A control message whose answer begins with a result, 0 if it worked. */
static gboolean
swt_control (VmmSwtpm *tpm, const char *what, const guint32 *words, guint n_words, int fd, GError **error)
{
  guint8 answer[4];
  guint32 result;

  errno = 0;
  if (!swt_forget_cancels (tpm) || !swt_send_control (tpm, words, n_words, fd)
      || !swt_receive_all (tpm->control, answer, sizeof answer))
    return swt_failed (tpm, what, errno, error);
  memcpy (&result, answer, sizeof result);
  if (result == 0)
    return TRUE;
  g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "swtpm: %s: it refused with code %#x%s%s", what, GUINT32_FROM_BE (result),
               tpm->log_path != NULL ? "; see " : "", tpm->log_path != NULL ? tpm->log_path : "");
  return FALSE;
}

static gboolean
swt_get_capabilities (VmmSwtpm *tpm, guint64 *ret_capabilities, GError **error)
{
  const guint32 ask[] = { SWT_GET_CAPABILITY };
  guint64 answer;

  errno = 0;
  if (!swt_send_control (tpm, ask, 1, -1) || !swt_receive_all (tpm->control, (guint8 *) &answer, sizeof answer))
    return swt_failed (tpm, "starting it", errno, error);
  *ret_capabilities = GUINT64_FROM_BE (answer);
  if ((*ret_capabilities & SWT_CAP_NEEDED) == SWT_CAP_NEEDED)
    return TRUE;
  g_set_error_literal (error, VMM_ERROR, VMM_ERROR_UNSUPPORTED, "this swtpm is too old: version 0.7 or newer is needed");
  return FALSE;
}

static gboolean
swt_set_buffer_size (VmmSwtpm *tpm, guint size, GError **error)
{
  const guint32 words[] = { SWT_SET_BUFFERSIZE, size };
  guint8 sizes[12]; /* in force, least, greatest */

  if (!swt_control (tpm, "setting the size of its buffer", words, 2, -1, error))
    return FALSE;
  errno = 0;
  return swt_receive_all (tpm->control, sizes, sizeof sizes) || swt_failed (tpm, "setting the size of its buffer", errno, error);
}

static gboolean
swt_start_tpm (VmmSwtpm *tpm, GError **error)
{
  const guint32 words[] = { SWT_INIT, 0 };

  return swt_control (tpm, "starting the TPM", words, 2, -1, error);
}

gboolean
vmm_swtpm_power_cycle (VmmSwtpm *tpm, GError **error)
{
  const guint32 words[] = { SWT_STOP };

  return swt_control (tpm, "stopping the TPM", words, 1, -1, error) && swt_start_tpm (tpm, error);
}

/* @child_control: stays ours to close */
static gboolean
swt_spawn (VmmSwtpm *tpm, const char *program, const char *state_dir, int child_control, GError **error)
{
  g_autofree char *state = g_strconcat ("dir=", state_dir, NULL);
  g_autofree char *control = g_strdup_printf ("type=unixio,clientfd=%d", SWT_CHILD_CONTROL_FD);
  const char *argv[] = { program, "socket", "--tpm2", "--tpmstate", state, "--ctrl", control, "--terminate", NULL };
  const int target = SWT_CHILD_CONTROL_FD;
  int log = tpm->log_path != NULL ? open (tpm->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
  g_autoptr (GError) local = NULL;
  gboolean ok;

  ok = g_spawn_async_with_pipes_and_fds (NULL, argv, NULL,
                                         G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL
                                             | (log < 0 ? G_SPAWN_STDERR_TO_DEV_NULL : 0),
                                         NULL, NULL, -1, -1, log, &child_control, &target, 1, &tpm->pid, NULL, NULL, NULL, &local);
  if (log >= 0)
    close (log);
  if (!ok)
    g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot run %s: %s", program, local->message);
  return ok;
}

static gboolean
swt_connect (VmmSwtpm *tpm, const char *program, const char *state_dir, guint buffer_size, GError **error)
{
  const struct timeval timeout = { .tv_sec = SWT_CONTROL_TIMEOUT_S };
  const guint32 set_datafd[] = { SWT_SET_DATAFD };
  int control[2] = { -1, -1 }, data[2] = { -1, -1 };
  guint64 capabilities = 0;
  gboolean ok = FALSE;

  tpm->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (tpm->wake < 0 || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0
      || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) < 0)
    swt_failed (tpm, "making a line to it", errno, error);
  else
    ok = swt_spawn (tpm, program, state_dir, control[1], error);
  tpm->control = control[0];
  tpm->data = data[0];
  if (control[1] >= 0)
    close (control[1]);
  if (ok)
    {
      setsockopt (tpm->control, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
      ok = swt_get_capabilities (tpm, &capabilities, error) && swt_control (tpm, "joining it", set_datafd, 1, data[1], error);
    }
  if (data[1] >= 0)
    close (data[1]);
  if (ok && (capabilities & SWT_CAP_SET_BUFFERSIZE) != 0)
    ok = swt_set_buffer_size (tpm, buffer_size, error);
  return ok && swt_start_tpm (tpm, error);
}

VmmSwtpm *
vmm_swtpm_new (const char *program, const char *state_dir, const char *log_path, guint buffer_size, GError **error)
{
  g_autofree char *path = g_find_program_in_path (program != NULL ? program : "swtpm");
  VmmSwtpm *tpm;

  if (path == NULL)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "no %s: a TPM needs this program (package: swtpm)",
                   program != NULL ? program : "swtpm");
      return NULL;
    }
  if (g_mkdir_with_parents (state_dir, 0700) < 0)
    {
      g_set_error (error, VMM_ERROR, VMM_ERROR_HOST, "cannot make the directory %s: %s", state_dir, g_strerror (errno));
      return NULL;
    }
  tpm = g_new0 (VmmSwtpm, 1);
  tpm->log_path = g_strdup (log_path);
  tpm->control = tpm->data = tpm->wake = -1;
  if (swt_connect (tpm, path, state_dir, buffer_size, error))
    return tpm;
  vmm_swtpm_free (tpm);
  return NULL;
}

static void
swt_reap (GPid pid)
{
  for (guint waited = 0;; waited += 10)
    {
      if (waitpid (pid, NULL, WNOHANG) != 0)
        return;
      if (waited >= SWT_END_TIMEOUT_MS)
        break;
      g_usleep (10 * 1000);
    }
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
}

void
vmm_swtpm_free (VmmSwtpm *tpm)
{
  const guint32 words[] = { SWT_SHUTDOWN };

  if (tpm == NULL)
    return;
  if (tpm->control >= 0)
    {
      if (tpm->pid != 0)
        swt_send_control (tpm, words, 1, -1); /* its answer is its end */
      shutdown (tpm->control, SHUT_WR);
    }
  if (tpm->data >= 0)
    close (tpm->data);
  if (tpm->pid != 0)
    swt_reap (tpm->pid);
  if (tpm->control >= 0)
    close (tpm->control);
  if (tpm->wake >= 0)
    close (tpm->wake);
  g_free (tpm->log_path);
  g_free (tpm);
}

/* Waits for the answer's begin, and meanwhile passes on that somebody lost patience. */
static gboolean
swt_wait_for_answer (VmmSwtpm *tpm)
{
  const guint32 words[] = { SWT_CANCEL };

  for (;;)
    {
      struct pollfd fds[2] = { { .fd = tpm->data, .events = POLLIN }, { .fd = tpm->wake, .events = POLLIN } };
      guint64 count;

      if (poll (fds, 2, -1) < 0 && errno != EINTR)
        return FALSE;
      if (fds[0].revents != 0)
        return TRUE;
      if (fds[1].revents != 0 && read (tpm->wake, &count, sizeof count) == sizeof count && tpm->cancels_pending == 0)
        {
          if (!swt_send_control (tpm, words, 1, -1))
            return FALSE;
          tpm->cancels_pending++;
        }
    }
}

gsize
vmm_swtpm_execute (VmmSwtpm *tpm, const guint8 *command, gsize len, guint8 *response, gsize room, GError **error)
{
  guint32 size;

  g_assert (len >= VMM_SWTPM_HEADER && room >= VMM_SWTPM_HEADER);
  errno = 0;
  if (!swt_send_all (tpm->data, command, len) || !swt_wait_for_answer (tpm)
      || !swt_receive_all (tpm->data, response, VMM_SWTPM_HEADER))
    return swt_failed (tpm, "a command", errno, error);
  memcpy (&size, response + 2, sizeof size);
  size = GUINT32_FROM_BE (size);
  if (size < VMM_SWTPM_HEADER || size > room)
    return swt_failed (tpm, "a command's answer", EPROTO, error);
  if (!swt_receive_all (tpm->data, response + VMM_SWTPM_HEADER, size - VMM_SWTPM_HEADER))
    return swt_failed (tpm, "a command", errno, error);
  return size;
}

void
vmm_swtpm_prepare (VmmSwtpm *tpm)
{
  guint64 old;

  while (read (tpm->wake, &old, sizeof old) > 0)
    ;
}

void
vmm_swtpm_cancel (VmmSwtpm *tpm)
{
  const guint64 one = 1;
  gssize n = write (tpm->wake, &one, sizeof one);

  g_assert (n == sizeof one || errno == EAGAIN);
}

void
vmm_swtpm_abandon (VmmSwtpm *tpm)
{
  shutdown (tpm->data, SHUT_RDWR);
}
