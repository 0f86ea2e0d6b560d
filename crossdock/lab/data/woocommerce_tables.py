"""WooCommerce's tables for stores that run without WooCommerce's code: names and columns as version 11 has them.

table_sql tells how a table is written here.
"""

from __future__ import annotations

from crossdock.lab.data.table_sql import table_sql
from crossdock.lab.data.world import World

TABLES = {
    "actionscheduler_actions": """
    action_id serial_id; hook varchar(191) NOT NULL; status varchar(20) NOT NULL;
    scheduled_date_gmt datetime DEFAULT '0000-00-00 00:00:00';
    scheduled_date_local datetime DEFAULT '0000-00-00 00:00:00';
    priority tinyint(3) unsigned NOT NULL DEFAULT 10; args varchar(191); schedule longtext;
    group_id big_id DEFAULT 0; attempts int(11) NOT NULL DEFAULT 0;
    last_attempt_gmt datetime DEFAULT '0000-00-00 00:00:00';
    last_attempt_local datetime DEFAULT '0000-00-00 00:00:00'; claim_id big_id DEFAULT 0;
    extended_args varchar(8000); PRIMARY KEY (action_id);
    KEY hook_status_scheduled_date_gmt (hook(163),status,scheduled_date_gmt);
    KEY status_scheduled_date_gmt (status,scheduled_date_gmt); KEY scheduled_date_gmt (scheduled_date_gmt);
    KEY args (args); KEY group_id (group_id); KEY last_attempt_gmt (last_attempt_gmt);
    KEY claim_id_status_priority_scheduled_date_gmt (claim_id,status,priority,scheduled_date_gmt);
    KEY status_last_attempt_gmt (status,last_attempt_gmt); KEY status_claim_id (status,claim_id)""",
    "actionscheduler_claims": """
    claim_id serial_id; date_created_gmt datetime DEFAULT '0000-00-00 00:00:00'; PRIMARY KEY (claim_id);
    KEY date_created_gmt (date_created_gmt)""",
    "actionscheduler_groups": """
    group_id serial_id; slug varchar(255) NOT NULL; PRIMARY KEY (group_id); KEY slug (slug(191))""",
    "actionscheduler_logs": """
    log_id serial_id; action_id big_id; message text NOT NULL;
    log_date_gmt datetime DEFAULT '0000-00-00 00:00:00'; log_date_local datetime DEFAULT '0000-00-00 00:00:00';
    PRIMARY KEY (log_id); KEY action_id (action_id); KEY log_date_gmt (log_date_gmt)""",
    "wc_admin_note_actions": """
    action_id serial_id; note_id big_id; name varchar(255) NOT NULL; label varchar(255) NOT NULL;
    query longtext NOT NULL; status varchar(255) NOT NULL; actioned_text varchar(255) NOT NULL;
    nonce_action varchar(255); nonce_name varchar(255); PRIMARY KEY (action_id); KEY note_id (note_id)""",
    "wc_admin_notes": """
    note_id serial_id; name varchar(255) NOT NULL; type varchar(20) NOT NULL; locale varchar(20) NOT NULL;
    title longtext NOT NULL; content longtext NOT NULL; content_data longtext; status varchar(200) NOT NULL;
    source varchar(200) NOT NULL; date_created datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    date_reminder datetime; is_snoozable tinyint(1) NOT NULL DEFAULT 0; layout varchar(20) NOT NULL DEFAULT '';
    image varchar(200); is_deleted tinyint(1) NOT NULL DEFAULT 0; is_read tinyint(1) NOT NULL DEFAULT 0;
    icon varchar(200) NOT NULL DEFAULT 'info'; PRIMARY KEY (note_id)""",
    "wc_category_lookup": """
    category_tree_id big_id; category_id big_id; PRIMARY KEY (category_tree_id,category_id)""",
    "wc_customer_lookup": """
    customer_id serial_id; user_id big; username varchar(60) NOT NULL DEFAULT '';
    first_name varchar(255) NOT NULL; last_name varchar(255) NOT NULL; email varchar(100);
    date_last_active timestamp NULL; date_registered timestamp NULL; country char(2) NOT NULL DEFAULT '';
    postcode varchar(20) NOT NULL DEFAULT ''; city varchar(100) NOT NULL DEFAULT '';
    state varchar(100) NOT NULL DEFAULT ''; PRIMARY KEY (customer_id); UNIQUE KEY user_id (user_id);
    KEY email (email)""",
    "wc_download_log": """
    download_log_id serial_id; timestamp datetime NOT NULL; permission_id big_id; user_id big;
    user_ip_address varchar(100) DEFAULT ''; PRIMARY KEY (download_log_id); KEY permission_id (permission_id);
    KEY timestamp (timestamp)""",
    "wc_email_unsubscribes": """
    id serial_id; email_hash char(64) NOT NULL; email_kind varchar(64) NOT NULL; action varchar(20) NOT NULL;
    created_at datetime NOT NULL; PRIMARY KEY (id); KEY email_hash_kind (email_hash,email_kind)""",
    "wc_order_addresses": """
    id serial_id; order_id big_id; address_type varchar(20); first_name text; last_name text; company text;
    address_1 text; address_2 text; city text; state text; postcode text; country text; email varchar(320);
    phone varchar(100); PRIMARY KEY (id); UNIQUE KEY address_type_order_id (address_type,order_id);
    KEY order_id (order_id); KEY email (email(191)); KEY phone (phone)""",
    "wc_order_coupon_lookup": """
    order_id big_id; coupon_id bigint(20) NOT NULL;
    date_created datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; discount_amount double NOT NULL DEFAULT 0;
    PRIMARY KEY (order_id,coupon_id); KEY coupon_id (coupon_id); KEY date_created (date_created)""",
    "wc_order_operational_data": """
    id serial_id; order_id big; created_via varchar(100); woocommerce_version varchar(20);
    prices_include_tax tinyint(1); coupon_usages_are_counted tinyint(1);
    download_permission_granted tinyint(1); cart_hash varchar(100); new_order_email_sent tinyint(1);
    order_key varchar(100); order_stock_reduced tinyint(1); date_paid_gmt datetime;
    date_completed_gmt datetime; shipping_tax_amount decimal(26,8); shipping_total_amount decimal(26,8);
    discount_tax_amount decimal(26,8); discount_total_amount decimal(26,8); recorded_sales tinyint(1);
    PRIMARY KEY (id); UNIQUE KEY order_id (order_id); KEY order_key (order_key)""",
    "wc_order_product_lookup": """
    order_item_id big_id; order_id big_id; product_id big_id; variation_id big_id; customer_id big;
    date_created datetime NOT NULL DEFAULT current_timestamp(); product_qty int(11) NOT NULL;
    product_net_revenue double NOT NULL DEFAULT 0; product_gross_revenue double NOT NULL DEFAULT 0;
    coupon_amount double NOT NULL DEFAULT 0; tax_amount double NOT NULL DEFAULT 0;
    shipping_amount double NOT NULL DEFAULT 0; shipping_tax_amount double NOT NULL DEFAULT 0;
    PRIMARY KEY (order_item_id,order_id); KEY order_id (order_id); KEY product_id (product_id);
    KEY customer_id (customer_id); KEY date_created (date_created);
    KEY customer_product_date (customer_id,product_id,date_created)""",
    "wc_order_stats": """
    order_id big_id; parent_id big_id DEFAULT 0; date_created datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    date_created_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    date_paid datetime DEFAULT '0000-00-00 00:00:00'; date_completed datetime DEFAULT '0000-00-00 00:00:00';
    num_items_sold int(11) NOT NULL DEFAULT 0; total_sales double NOT NULL DEFAULT 0;
    tax_total double NOT NULL DEFAULT 0; shipping_total double NOT NULL DEFAULT 0;
    net_total double NOT NULL DEFAULT 0; returning_customer tinyint(1); status varchar(20) NOT NULL;
    customer_id big_id; PRIMARY KEY (order_id); KEY date_created (date_created); KEY customer_id (customer_id);
    KEY status (status); KEY idx_date_paid_status_parent (date_paid,status,parent_id)""",
    "wc_order_tax_lookup": """
    order_id big_id; tax_rate_id big_id; date_created datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    shipping_tax double NOT NULL DEFAULT 0; order_tax double NOT NULL DEFAULT 0;
    total_tax double NOT NULL DEFAULT 0; PRIMARY KEY (order_id,tax_rate_id); KEY tax_rate_id (tax_rate_id);
    KEY date_created (date_created)""",
    "wc_orders": """
    id big_id; status varchar(20); currency varchar(10); type varchar(20); tax_amount decimal(26,8);
    total_amount decimal(26,8); customer_id big; billing_email varchar(320); date_created_gmt datetime;
    date_updated_gmt datetime; parent_order_id big; payment_method varchar(100); payment_method_title text;
    transaction_id varchar(100); ip_address varchar(100); user_agent text; customer_note text;
    PRIMARY KEY (id); KEY status (status); KEY date_created (date_created_gmt);
    KEY customer_id_billing_email (customer_id,billing_email(171));
    KEY customer_id_status (customer_id,status); KEY billing_email (billing_email(191));
    KEY transaction_id (transaction_id(20)); KEY type_status_date (type,status,date_created_gmt);
    KEY parent_order_id (parent_order_id); KEY date_updated (date_updated_gmt)""",
    "wc_orders_meta": """
    id serial_id; order_id big; meta_key varchar(255); meta_value text; PRIMARY KEY (id);
    KEY meta_key_value (meta_key(50),meta_value(20));
    KEY order_id_meta_key_meta_value (order_id,meta_key(100),meta_value(82))""",
    "wc_product_attributes_lookup": """
    product_id bigint(20) NOT NULL; product_or_parent_id bigint(20) NOT NULL; taxonomy varchar(32) NOT NULL;
    term_id bigint(20) NOT NULL; is_variation_attribute tinyint(1) NOT NULL; in_stock tinyint(1) NOT NULL;
    PRIMARY KEY (product_or_parent_id,term_id,product_id,taxonomy);
    KEY is_variation_attribute_term_id (is_variation_attribute,term_id);
    KEY taxonomy_term_id_in_stock_product_or_parent_id (taxonomy,term_id,in_stock,product_or_parent_id);
    KEY product_id (product_id)""",
    "wc_product_download_directories": """
    url_id serial_id; url varchar(256) NOT NULL; enabled tinyint(1) NOT NULL DEFAULT 0; PRIMARY KEY (url_id);
    KEY url (url(191))""",
    "wc_product_meta_lookup": """
    product_id bigint(20) NOT NULL; sku varchar(100) DEFAULT ''; global_unique_id varchar(100) DEFAULT '';
    virtual tinyint(1) DEFAULT 0; downloadable tinyint(1) DEFAULT 0; min_price decimal(19,4);
    max_price decimal(19,4); onsale tinyint(1) DEFAULT 0; stock_quantity double;
    stock_status varchar(100) DEFAULT 'instock'; rating_count bigint(20) DEFAULT 0;
    average_rating decimal(3,2) DEFAULT 0.00; total_sales bigint(20) DEFAULT 0;
    tax_status varchar(100) DEFAULT 'taxable'; tax_class varchar(100) DEFAULT ''; PRIMARY KEY (product_id);
    KEY virtual (virtual); KEY downloadable (downloadable); KEY stock_status (stock_status);
    KEY stock_quantity (stock_quantity); KEY onsale (onsale); KEY min_max_price (min_price,max_price);
    KEY sku (sku(50))""",
    "wc_rate_limits": """
    rate_limit_id serial_id; rate_limit_key varchar(200) NOT NULL; rate_limit_expiry big_id;
    rate_limit_remaining smallint(10) NOT NULL DEFAULT 0; PRIMARY KEY (rate_limit_id);
    UNIQUE KEY rate_limit_key (rate_limit_key(191))""",
    "wc_reserved_stock": """
    order_id bigint(20) NOT NULL; product_id bigint(20) NOT NULL; stock_quantity double NOT NULL DEFAULT 0;
    timestamp datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    expires datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; PRIMARY KEY (order_id,product_id);
    KEY product_id_expires (product_id,expires)""",
    "wc_stock_notificationmeta": """
    id serial_id; notification_id big_id; meta_key varchar(255); meta_value longtext; PRIMARY KEY (id);
    KEY notification_id (notification_id); KEY meta_key (meta_key(191))""",
    "wc_stock_notifications": """
    id serial_id; product_id big_id; user_id big_id; user_email varchar(100) NOT NULL;
    status varchar(20) NOT NULL DEFAULT 'pending'; date_created_gmt datetime; date_modified_gmt datetime;
    date_confirmed_gmt datetime; date_last_attempt_gmt datetime; date_notified_gmt datetime;
    date_cancelled_gmt datetime; cancellation_source varchar(30); PRIMARY KEY (id);
    KEY product_status_attempt (product_id,status,date_last_attempt_gmt,id);
    KEY user_lookup (user_id,product_id,status); KEY email_lookup (user_email,product_id,status)""",
    "wc_tax_rate_classes": """
    tax_rate_class_id serial_id; name varchar(200) NOT NULL DEFAULT ''; slug varchar(200) NOT NULL DEFAULT '';
    PRIMARY KEY (tax_rate_class_id); UNIQUE KEY slug (slug(191))""",
    "wc_webhooks": """
    webhook_id serial_id; status varchar(200) NOT NULL; name text NOT NULL; user_id big_id;
    delivery_url text NOT NULL; secret text NOT NULL; topic varchar(200) NOT NULL;
    date_created datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    date_created_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    date_modified datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    date_modified_gmt datetime NOT NULL DEFAULT '0000-00-00 00:00:00'; api_version smallint(4) NOT NULL;
    failure_count smallint(10) NOT NULL DEFAULT 0; pending_delivery tinyint(1) NOT NULL DEFAULT 0;
    PRIMARY KEY (webhook_id); KEY user_id (user_id)""",
    "woocommerce_api_keys": """
    key_id serial_id; user_id big_id; description varchar(200); permissions varchar(10) NOT NULL;
    consumer_key char(64) NOT NULL; consumer_secret char(43) NOT NULL; nonces longtext;
    truncated_key char(7) NOT NULL; last_access datetime; PRIMARY KEY (key_id);
    KEY consumer_key (consumer_key); KEY consumer_secret (consumer_secret)""",
    "woocommerce_attribute_taxonomies": """
    attribute_id serial_id; attribute_name varchar(200) NOT NULL; attribute_label varchar(200);
    attribute_type varchar(20) NOT NULL; attribute_orderby varchar(20) NOT NULL;
    attribute_public int(1) NOT NULL DEFAULT 1; PRIMARY KEY (attribute_id);
    KEY attribute_name (attribute_name(20))""",
    "woocommerce_downloadable_product_permissions": """
    permission_id serial_id; download_id varchar(36) NOT NULL; product_id big_id; order_id big_id DEFAULT 0;
    order_key varchar(200) NOT NULL; user_email varchar(200) NOT NULL; user_id big;
    downloads_remaining varchar(9); access_granted datetime NOT NULL DEFAULT '0000-00-00 00:00:00';
    access_expires datetime; download_count big_id DEFAULT 0; PRIMARY KEY (permission_id);
    KEY download_order_key_product (product_id,order_id,order_key(16),download_id);
    KEY download_order_product (download_id,order_id,product_id); KEY order_id (order_id);
    KEY user_order_remaining_expires (user_id,order_id,downloads_remaining,access_expires);
    KEY idx_user_email (user_email(100))""",
    "woocommerce_log": """
    log_id serial_id; timestamp datetime NOT NULL; level smallint(4) NOT NULL; source varchar(200) NOT NULL;
    message longtext NOT NULL; context longtext; PRIMARY KEY (log_id); KEY level (level)""",
    "woocommerce_order_itemmeta": """
    meta_id serial_id; order_item_id big_id; meta_key varchar(255); meta_value longtext; PRIMARY KEY (meta_id);
    KEY order_item_id (order_item_id); KEY meta_key (meta_key(32))""",
    "woocommerce_order_items": """
    order_item_id serial_id; order_item_name text NOT NULL; order_item_type varchar(200) NOT NULL DEFAULT '';
    order_id big_id; PRIMARY KEY (order_item_id); KEY order_id (order_id)""",
    "woocommerce_payment_tokenmeta": """
    meta_id serial_id; payment_token_id big_id; meta_key varchar(255); meta_value longtext;
    PRIMARY KEY (meta_id); KEY payment_token_id (payment_token_id); KEY meta_key (meta_key(32))""",
    "woocommerce_payment_tokens": """
    token_id serial_id; gateway_id varchar(200) NOT NULL; token text NOT NULL; user_id big_id DEFAULT 0;
    type varchar(200) NOT NULL; is_default tinyint(1) NOT NULL DEFAULT 0; PRIMARY KEY (token_id);
    KEY user_id (user_id)""",
    "woocommerce_sessions": """
    session_id serial_id; session_key char(32) NOT NULL; session_value longtext NOT NULL;
    session_expiry big_id; PRIMARY KEY (session_id); UNIQUE KEY session_key (session_key);
    KEY session_expiry (session_expiry)""",
    "woocommerce_shipping_zone_locations": """
    location_id serial_id; zone_id big_id; location_code varchar(200) NOT NULL;
    location_type varchar(40) NOT NULL; PRIMARY KEY (location_id); KEY zone_id (zone_id);
    KEY location_type_code (location_type(10),location_code(20))""",
    "woocommerce_shipping_zone_methods": """
    zone_id big_id; instance_id serial_id; method_id varchar(200) NOT NULL; method_order big_id;
    is_enabled tinyint(1) NOT NULL DEFAULT 1; PRIMARY KEY (instance_id); KEY zone_id (zone_id);
    KEY method_id (method_id(20))""",
    "woocommerce_shipping_zones": """
    zone_id serial_id; zone_name varchar(200) NOT NULL; zone_order big_id; PRIMARY KEY (zone_id);
    KEY zone_order_id (zone_order,zone_id)""",
    "woocommerce_tax_rate_locations": """
    location_id serial_id; location_code varchar(200) NOT NULL; tax_rate_id big_id;
    location_type varchar(40) NOT NULL; PRIMARY KEY (location_id); KEY tax_rate_id (tax_rate_id);
    KEY location_type_code (location_type(10),location_code(20))""",
    "woocommerce_tax_rates": """
    tax_rate_id serial_id; tax_rate_country varchar(2) NOT NULL DEFAULT '';
    tax_rate_state varchar(200) NOT NULL DEFAULT ''; tax_rate varchar(8) NOT NULL DEFAULT '';
    tax_rate_name varchar(200) NOT NULL DEFAULT ''; tax_rate_priority big_id;
    tax_rate_compound int(1) NOT NULL DEFAULT 0; tax_rate_shipping int(1) NOT NULL DEFAULT 1;
    tax_rate_order big_id; tax_rate_class varchar(200) NOT NULL DEFAULT ''; PRIMARY KEY (tax_rate_id);
    KEY tax_rate_country (tax_rate_country); KEY tax_rate_state (tax_rate_state(2));
    KEY tax_rate_class (tax_rate_class(10)); KEY tax_rate_priority (tax_rate_priority)""",
}


def create_tables(world: World) -> None:
    """All of them; where WooCommerce is active only those that it has not made yet (its order tables come late)."""
    for name, columns in TABLES.items():
        if not world.woocommerce or name.startswith("wc_order"):
            world.execute(table_sql(world.prefix + name, columns, unless_there=True))
