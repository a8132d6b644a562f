# A VIP with two backends, checked by HTTP. Server and token come from LBAAS_SERVER_URL and LBAAS_TOKEN, or from
# the profile of `lbaas login`.

terraform {
  required_providers {
    lbaas = { source = "lbaas/lbaas", version = "0.1.0" }
  }
}

variable "backends" {
  description = "Where the service runs: address and weight."
  type        = map(number)
}

resource "lbaas_pool" "web" {
  name   = "web"
  labels = { managed_by = "terraform" }

  monitor {
    kind       = "http"
    interval_s = 2
    http { path = "/" }
  }

  dynamic "members" {
    for_each = var.backends
    content {
      address = members.key
      weight  = members.value
    }
  }
}

resource "lbaas_vip" "shop" {
  name   = "shop-tf"
  labels = { managed_by = "terraform" }
}

resource "lbaas_listener" "http" {
  name     = "http"
  vip_id   = lbaas_vip.shop.id
  pool_id  = lbaas_pool.web.id
  protocol = "tcp"
  ports    = ["80"]

  timeouts {
    create = "2m"
    update = "2m"
  }
}

output "address" {
  description = "What clients reach."
  value       = lbaas_vip.shop.address
  depends_on  = [lbaas_listener.http]
}
