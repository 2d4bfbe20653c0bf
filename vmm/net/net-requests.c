/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What may be asked of the network of a machine that runs (vmm-net.h). */
#include "vmm-net.h"

#include "core/machine.h"
#include "net/net-private.h"

typedef struct {
  VmmMachine *machine;
  char *device_id, *forward;
  gboolean up;
  gboolean (*act) (VmmNet *net, const char *forward, GError **error); /* (nullable): set the link */
  VmmDone done;
  gpointer data;
} NrqRequest;

static void
nrq_free (gpointer data)
{
  NrqRequest *request = data;

  g_free (request->device_id);
  g_free (request->forward);
  g_free (request);
}

static void
nrq_on_request (gpointer data)
{
  NrqRequest *request = data;
  VmmNet *net = vmm_net_find (request->machine, request->device_id);
  g_autoptr (GError) error = NULL;

  if (net == NULL)
    g_set_error (&error, VMM_ERROR, VMM_ERROR_NOT_FOUND, "there is no network device %s", request->device_id);
  else if (request->act != NULL)
    request->act (net, request->forward, &error);
  else
    vmm_net_set_link (net, request->up);
  if (request->done != NULL)
    request->done (request->machine, error, request->data);
}

static void
nrq_post (VmmMachine *machine, NrqRequest request)
{
  NrqRequest *copy = g_memdup2 (&request, sizeof request);

  vmm_machine_post_full (machine, nrq_on_request, copy, nrq_free);
}

void
vmm_machine_net_add_forward (VmmMachine *machine, const char *device_id, const char *forward, VmmDone done, gpointer data)
{
  nrq_post (machine, (NrqRequest) { machine, g_strdup (device_id), g_strdup (forward), FALSE, vmm_net_add_forward, done, data });
}

void
vmm_machine_net_remove_forward (VmmMachine *machine, const char *device_id, const char *forward, VmmDone done, gpointer data)
{
  nrq_post (machine, (NrqRequest) { machine, g_strdup (device_id), g_strdup (forward), FALSE, vmm_net_remove_forward, done, data });
}

void
vmm_machine_net_set_link (VmmMachine *machine, const char *device_id, gboolean up, VmmDone done, gpointer data)
{
  nrq_post (machine, (NrqRequest) { machine, g_strdup (device_id), NULL, up, NULL, done, data });
}

gboolean
vmm_machine_net_get_link (VmmMachine *machine, const char *device_id)
{
  VmmNet *net = vmm_net_find (machine, device_id);

  return net != NULL && vmm_net_get_link (net);
}

char **
vmm_machine_net_dup_forwards (VmmMachine *machine, const char *device_id)
{
  VmmNet *net = vmm_net_find (machine, device_id);

  return net != NULL ? vmm_net_dup_forwards (net) : NULL;
}

char *
vmm_net_forward_check (const char *forward, GError **error)
{
  VmmNetForward parsed;

  return vmm_net_forward_parse (forward, &parsed, error) ? vmm_net_forward_format (&parsed) : NULL;
}
