/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operating systems that we know of: libosinfo's database as plain objects, read once on a worker thread. */
#include "media/os.h"

#include <osinfo/osinfo.h>
#include <string.h>

struct _LodgeOs {
  GObject parent_instance;
  char *id, *name, *family, *distro, *search_text;
  gint64 release_date; /* Julian day number */

  /* What it needs; read from libosinfo when first asked for, which of nearly a thousand systems happens to a handful. */
  OsinfoOs *os;                                                               /* %NULL: read */
  guint64 minimum_memory, recommended_memory, minimum_disk, recommended_disk; /* bytes */
  guint recommended_cpus;
  gboolean needs_uefi;
  gboolean has_virtio_gpu, has_virtio_input;
};

struct _LodgeOsDatabase {
  GObject parent_instance;
  GPtrArray *systems; /* LodgeOs, sorted */
  GHashTable *by_id;  /* id -> LodgeOs */
  gboolean loaded;
};

enum { PROP_0, PROP_ID, PROP_NAME, PROP_FAMILY, PROP_SEARCH_TEXT, N_PROPS };
static GParamSpec *loss_props[N_PROPS];

G_DEFINE_FINAL_TYPE (LodgeOs, lodge_os, G_TYPE_OBJECT)

/* --- libosinfo; worker threads -------------------------------------------------------------------------------------------------- */

static GMutex loss_lock; /* libosinfo's objects are nobody's but under it */
static OsinfoDb *loss_db;

/* With the lock held. Returns: (transfer none): the database, empty if there is none on this host. */
static OsinfoDb *
loss_get_db (void)
{
  g_autoptr (OsinfoLoader) loader = NULL;
  g_autoptr (GError) error = NULL;

  if (loss_db != NULL)
    return loss_db;
  loader = osinfo_loader_new ();
  osinfo_loader_process_default_path (loader, &error);
  if (error != NULL)
    g_message ("The database of operating systems cannot be read: %s", error->message);
  loss_db = g_object_ref (osinfo_loader_get_db (loader));
  return loss_db;
}

/* The entry that is about PCs, or about all machines. */
static OsinfoResources *
loss_pick_resources (OsinfoResourcesList *list)
{
  OsinfoResources *best = NULL;
  int best_rank = 0;

  for (int i = 0; i < osinfo_list_get_length (OSINFO_LIST (list)); i++)
    {
      OsinfoResources *one = OSINFO_RESOURCES (osinfo_list_get_nth (OSINFO_LIST (list), i));
      const char *architecture = osinfo_resources_get_architecture (one);
      int rank = g_strcmp0 (architecture, "x86_64") == 0 ? 3
                 : g_strcmp0 (architecture, "all") == 0  ? 2
                 : g_strcmp0 (architecture, "i686") == 0 ? 1
                                                         : 0;

      if (rank > best_rank)
        {
          best = one;
          best_rank = rank;
        }
    }
  return best;
}

static gboolean
loss_os_needs_uefi (OsinfoOs *os)
{
  g_autoptr (OsinfoFirmwareList) list = osinfo_os_get_complete_firmware_list (os, NULL);
  gboolean has_efi = FALSE, has_bios = FALSE;

  for (int i = 0; list != NULL && i < osinfo_list_get_length (OSINFO_LIST (list)); i++)
    {
      OsinfoFirmware *one = OSINFO_FIRMWARE (osinfo_list_get_nth (OSINFO_LIST (list), i));

      if (g_strcmp0 (osinfo_firmware_get_architecture (one), "x86_64") != 0 || !osinfo_firmware_is_supported (one))
        continue;
      has_efi |= g_strcmp0 (osinfo_firmware_get_firmware_type (one), "efi") == 0;
      has_bios |= g_strcmp0 (osinfo_firmware_get_firmware_type (one), "bios") == 0;
    }
  return has_efi && !has_bios;
}

/* The drivers that come with the system; those that can be added are in lists of their own. */
static void
loss_find_drivers (LodgeOs *self)
{
  g_autoptr (OsinfoDeviceList) list = osinfo_os_get_all_devices (self->os, NULL);

  for (int i = 0; list != NULL && i < osinfo_list_get_length (OSINFO_LIST (list)); i++)
    {
      const char *id = osinfo_entity_get_id (osinfo_list_get_nth (OSINFO_LIST (list), i));

      self->has_virtio_gpu |= g_strcmp0 (id, "http://pcisig.com/pci/1af4/1050") == 0;
      self->has_virtio_input |= g_strcmp0 (id, "http://pcisig.com/pci/1af4/1052") == 0;
    }
}

static guint64
loss_positive (gint64 value)
{
  return value > 0 ? (guint64) value : 0;
}

static LodgeOs *
loss_os_new (OsinfoOs *os)
{
  OsinfoProduct *product = OSINFO_PRODUCT (os);
  GDate *date = osinfo_product_get_release_date (product);
  LodgeOs *self = g_object_new (LODGE_TYPE_OS, NULL);
  g_autofree char *text = NULL;

  self->id = g_strdup (osinfo_product_get_short_id (product));
  self->name = g_strdup (osinfo_product_get_name (product));
  if (self->name == NULL)
    self->name = g_strdup (self->id);
  self->family = g_strdup (osinfo_os_get_family (os));
  self->distro = g_strdup (osinfo_os_get_distro (os));
  text = g_strjoin (" ", self->name, self->id, osinfo_product_get_vendor (product), NULL);
  self->search_text = g_utf8_strdown (text, -1);
  if (date != NULL)
    {
      self->release_date = g_date_get_julian (date);
      g_date_free (date);
    }
  self->os = g_object_ref (os);
  return self;
}

/* Any thread; waits for another's look into the database, some milliseconds at most once it is loaded. */
static LodgeOs *
loss_with_needs (LodgeOs *self)
{
  g_autoptr (OsinfoResourcesList) minimum_list = NULL;
  g_autoptr (OsinfoResourcesList) recommended_list = NULL;
  OsinfoResources *minimum, *recommended;

  g_mutex_lock (&loss_lock);
  if (self->os == NULL)
    {
      g_mutex_unlock (&loss_lock);
      return self;
    }
  minimum_list = osinfo_os_get_minimum_resources (self->os);
  recommended_list = osinfo_os_get_recommended_resources (self->os);
  minimum = loss_pick_resources (minimum_list);
  recommended = loss_pick_resources (recommended_list);
  if (minimum != NULL)
    {
      self->minimum_memory = loss_positive (osinfo_resources_get_ram (minimum));
      self->minimum_disk = loss_positive (osinfo_resources_get_storage (minimum));
    }
  if (recommended != NULL)
    {
      self->recommended_memory = loss_positive (osinfo_resources_get_ram (recommended));
      self->recommended_disk = loss_positive (osinfo_resources_get_storage (recommended));
      self->recommended_cpus = (guint) MAX (0, osinfo_resources_get_n_cpus (recommended));
    }
  self->needs_uefi = loss_os_needs_uefi (self->os);
  loss_find_drivers (self);
  g_clear_object (&self->os);
  g_mutex_unlock (&loss_lock);
  return self;
}

static int
loss_compare (gconstpointer a, gconstpointer b)
{
  const LodgeOs *os_a = *(LodgeOs *const *) a, *os_b = *(LodgeOs *const *) b;
  int order = g_strcmp0 (os_a->distro, os_b->distro);
  g_autofree char *key_a = NULL;
  g_autofree char *key_b = NULL;

  if (order != 0)
    return order;
  if (os_a->release_date != os_b->release_date)
    return os_a->release_date > os_b->release_date ? -1 : 1;
  key_a = g_utf8_collate_key_for_filename (os_a->name, -1);
  key_b = g_utf8_collate_key_for_filename (os_b->name, -1);
  return strcmp (key_b, key_a);
}

static void
loss_load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GPtrArray *systems = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (OsinfoOsList) list = NULL;

  g_mutex_lock (&loss_lock);
  list = osinfo_db_get_os_list (loss_get_db ());
  for (int i = 0; i < osinfo_list_get_length (OSINFO_LIST (list)); i++)
    {
      OsinfoOs *os = OSINFO_OS (osinfo_list_get_nth (OSINFO_LIST (list), i));

      if (osinfo_product_get_short_id (OSINFO_PRODUCT (os)) != NULL)
        g_ptr_array_add (systems, loss_os_new (os));
    }
  g_mutex_unlock (&loss_lock);
  g_ptr_array_sort (systems, loss_compare);
  g_task_return_pointer (task, systems, (GDestroyNotify) g_ptr_array_unref);
}

char *
lodge_os_identify_media (const char *path, GCancellable *cancellable, char **ret_name)
{
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  /* libosinfo runs a main loop in this call: it must not be the main thread's. */
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (OsinfoMedia) media = NULL;
  g_autoptr (OsinfoOs) os = NULL;
  char *id = NULL;

  /* No flag: discs that do not start have a system on them too. */
  g_main_context_push_thread_default (context);
  if (uri != NULL)
    media = osinfo_media_create_from_location_with_flags (uri, cancellable, 0, NULL);
  g_main_context_pop_thread_default (context);
  if (media == NULL)
    return NULL;
  g_mutex_lock (&loss_lock);
  if (osinfo_db_identify_media (loss_get_db (), media))
    g_object_get (media, "os", &os, NULL);
  if (os != NULL)
    {
      id = g_strdup (osinfo_product_get_short_id (OSINFO_PRODUCT (os)));
      *ret_name = id != NULL ? g_strdup (osinfo_product_get_name (OSINFO_PRODUCT (os))) : NULL;
    }
  g_clear_object (&os);
  g_mutex_unlock (&loss_lock);
  return id;
}

/* --- Discs newer than the database ---------------------------------------------------------------------------------------------- */

/* Volume ids as the projects write them, the version in the first parentheses. */
static const struct {
  const char *pattern, *id, *name;
} loss_labels[] = {
  { "^Debian ([0-9]+)[. ]", "debian\\1", "Debian \\1" },
  { "^Debian testing", "debiantesting", "Debian testing" },
  { "^d-live ([0-9]+)[. ]", "debian\\1", "Debian \\1" },
  { "^Ubuntu(?:-Server|-Studio)? ([0-9]+\\.[0-9]+)", "ubuntu\\1", "Ubuntu \\1" },
  { "^(?:K|X|L)ubuntu ([0-9]+\\.[0-9]+)", "ubuntu\\1", "Ubuntu \\1" },
  { "^Fedora-(?:[A-Za-z]+-)*(?:x86_64-)?([0-9]+)(?:-|$)", "fedora\\1", "Fedora Linux \\1" },
  { "^RHEL-([0-9]+)-([0-9]+)", "rhel\\1.\\2", "Red Hat Enterprise Linux \\1.\\2" },
  { "^CentOS-Stream-([0-9]+)", "centos-stream\\1", "CentOS Stream \\1" },
  { "^AlmaLinux-([0-9]+)", "almalinux\\1", "AlmaLinux \\1" },
  { "^Rocky-([0-9]+)", "rocky\\1", "Rocky Linux \\1" },
  { "^openSUSE-Leap-([0-9]+\\.[0-9]+)", "opensuse\\1", "openSUSE Leap \\1" },
  { "^openSUSE-Tumbleweed", "opensusetumbleweed", "openSUSE Tumbleweed" },
  { "^alpine-[a-z]+ v?([0-9]+\\.[0-9]+)", "alpinelinux\\1", "Alpine Linux \\1" },
  { "^ARCH_[0-9]+", "archlinux", "Arch Linux" },
  { "^nixos-[a-z]+-([0-9]+\\.[0-9]+)", "nixos-\\1", "NixOS \\1" },
  { "^([0-9]+)_([0-9]+)_RELEASE_", "freebsd\\1.\\2", "FreeBSD \\1.\\2" },
  { "^OpenBSD/amd64 +([0-9]+\\.[0-9]+)", "openbsd\\1", "OpenBSD \\1" },
  { "^CCCOMA_X64FRE_[A-Z-]+_DV9", "win11", "Microsoft Windows 11" },
};

char *
lodge_os_guess_from_label (const char *label, char **ret_name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (loss_labels); i++)
    {
      g_autoptr (GRegex) regex = g_regex_new (loss_labels[i].pattern, G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT, NULL);
      g_autoptr (GMatchInfo) match = NULL;

      if (!g_regex_match (regex, label, G_REGEX_MATCH_DEFAULT, &match))
        continue;
      *ret_name = g_match_info_expand_references (match, loss_labels[i].name, NULL);
      return g_match_info_expand_references (match, loss_labels[i].id, NULL);
    }
  return NULL;
}

/* --- LodgeOs ------------------------------------------------------------------------------------------------------------------- */

const char *
lodge_os_get_id (LodgeOs *self)
{
  return self->id;
}

const char *
lodge_os_get_name (LodgeOs *self)
{
  return self->name;
}

const char *
lodge_os_get_family (LodgeOs *self)
{
  return self->family;
}

gint64
lodge_os_get_release_date (LodgeOs *self)
{
  return self->release_date;
}

guint64
lodge_os_get_minimum_memory_bytes (LodgeOs *self)
{
  return loss_with_needs (self)->minimum_memory;
}

guint64
lodge_os_get_recommended_memory_bytes (LodgeOs *self)
{
  return loss_with_needs (self)->recommended_memory;
}

guint64
lodge_os_get_minimum_disk_bytes (LodgeOs *self)
{
  return loss_with_needs (self)->minimum_disk;
}

guint64
lodge_os_get_recommended_disk_bytes (LodgeOs *self)
{
  return loss_with_needs (self)->recommended_disk;
}

guint
lodge_os_get_recommended_cpus (LodgeOs *self)
{
  return loss_with_needs (self)->recommended_cpus;
}

gboolean
lodge_os_get_needs_uefi (LodgeOs *self)
{
  return loss_with_needs (self)->needs_uefi;
}

gboolean
lodge_os_get_has_virtio_gpu (LodgeOs *self)
{
  return loss_with_needs (self)->has_virtio_gpu;
}

gboolean
lodge_os_get_has_virtio_input (LodgeOs *self)
{
  return loss_with_needs (self)->has_virtio_input;
}

static void
loss_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  LodgeOs *self = LODGE_OS (object);

  switch (id)
    {
    case PROP_ID:
      g_value_set_string (value, self->id);
      break;
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_FAMILY:
      g_value_set_string (value, self->family);
      break;
    case PROP_SEARCH_TEXT:
      g_value_set_string (value, self->search_text);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
loss_finalize (GObject *object)
{
  LodgeOs *self = LODGE_OS (object);

  g_mutex_lock (&loss_lock);
  g_clear_object (&self->os);
  g_mutex_unlock (&loss_lock);
  g_free (self->id);
  g_free (self->name);
  g_free (self->family);
  g_free (self->distro);
  g_free (self->search_text);
  G_OBJECT_CLASS (lodge_os_parent_class)->finalize (object);
}

static void
lodge_os_class_init (LodgeOsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = loss_get_property;
  object_class->finalize = loss_finalize;
  loss_props[PROP_ID] = g_param_spec_string ("id", NULL, NULL, NULL, flags);
  loss_props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);
  loss_props[PROP_FAMILY] = g_param_spec_string ("family", NULL, NULL, NULL, flags);
  loss_props[PROP_SEARCH_TEXT] = g_param_spec_string ("search-text", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, loss_props);
}

static void
lodge_os_init (LodgeOs *self)
{
}

/* --- LodgeOsDatabase ----------------------------------------------------------------------------------------------------------- */

static GType
lodb_get_item_type (GListModel *model)
{
  return LODGE_TYPE_OS;
}

static guint
lodb_get_n_items (GListModel *model)
{
  return LODGE_OS_DATABASE (model)->systems->len;
}

static gpointer
lodb_get_item (GListModel *model, guint position)
{
  LodgeOsDatabase *self = LODGE_OS_DATABASE (model);

  return position < self->systems->len ? g_object_ref (self->systems->pdata[position]) : NULL;
}

static void
lodb_list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = lodb_get_item_type;
  iface->get_n_items = lodb_get_n_items;
  iface->get_item = lodb_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (LodgeOsDatabase, lodge_os_database, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, lodb_list_model_init))

LodgeOsDatabase *
lodge_os_database_get_default (void)
{
  static LodgeOsDatabase *database; /* main thread only */

  if (database == NULL)
    database = g_object_new (LODGE_TYPE_OS_DATABASE, NULL);
  return database;
}

void
lodge_os_database_load_async (LodgeOsDatabase *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, lodge_os_database_load_async);
  if (self->loaded)
    g_task_return_pointer (task, NULL, NULL);
  else
    g_task_run_in_thread (task, loss_load_thread);
}

gboolean
lodge_os_database_load_finish (LodgeOsDatabase *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GPtrArray) systems = NULL;
  GError *local = NULL;

  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  systems = g_task_propagate_pointer (G_TASK (result), &local);
  if (local != NULL)
    {
      g_propagate_error (error, local);
      return FALSE;
    }
  if (systems == NULL || self->loaded)
    return TRUE;
  g_ptr_array_unref (self->systems);
  self->systems = g_steal_pointer (&systems);
  self->loaded = TRUE;
  for (guint i = 0; i < self->systems->len; i++)
    {
      LodgeOs *os = self->systems->pdata[i];

      g_hash_table_insert (self->by_id, os->id, os);
    }
  g_list_model_items_changed (G_LIST_MODEL (self), 0, 0, self->systems->len);
  return TRUE;
}

LodgeOs *
lodge_os_database_find (LodgeOsDatabase *self, const char *id)
{
  return g_hash_table_lookup (self->by_id, id);
}

LodgeOs *
lodge_os_database_find_similar (LodgeOsDatabase *self, const char *id)
{
  LodgeOs *found = lodge_os_database_find (self, id);
  gsize stem = strcspn (id, "0123456789");

  for (guint i = 0; found == NULL && stem > 0 && i < self->systems->len; i++)
    {
      LodgeOs *os = self->systems->pdata[i];

      /* Newest first. */
      if (strncmp (os->id, id, stem) == 0 && g_ascii_isdigit (os->id[stem]))
        found = os;
    }
  return found;
}

static void
lodb_finalize (GObject *object)
{
  LodgeOsDatabase *self = LODGE_OS_DATABASE (object);

  g_hash_table_unref (self->by_id);
  g_ptr_array_unref (self->systems);
  G_OBJECT_CLASS (lodge_os_database_parent_class)->finalize (object);
}

static void
lodge_os_database_class_init (LodgeOsDatabaseClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = lodb_finalize;
}

static void
lodge_os_database_init (LodgeOsDatabase *self)
{
  self->systems = g_ptr_array_new_with_free_func (g_object_unref);
  self->by_id = g_hash_table_new (g_str_hash, g_str_equal);
}
