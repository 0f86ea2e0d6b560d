-- Some plugin's backup
/*!40101 SET NAMES utf8mb4 */;
SET SESSION sql_mode='STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES';
INSERT INTO `wp_options` VALUES (1,'path','C:\'),(2,'home','https://www.south-shop.example/se'),(3,'w','a:2:{i:2;a:1:{s:3:"url";s:43:"https://www.south-shop.example/se/größe''s";}s:12:"_multiwidget";i:1;}'),(4,'c','<!-- wp:image {"id":7} -->
<img src="https://www.south-shop.example/se/wp-content/a.jpg" alt=''it"s'' />
<!-- /wp:image --> https://www.south-shop.example/se. http://south.example.org \o/'),(5,'e','[{"id":"1a","settings":{"link":{"url":"https:\/\/www.south-shop.example\/se\/a\/"},"html":"<a href=\"https:\/\/www.south-shop.example\/se\/b\">\u00e9<\/a>"}}]'),(6,'j','{"d": "a:1:{s:1:\"u\";s:35:\"https://www.south-shop.example/se/x\";}"}'),(7,'\','https://share.example/?u=https%3A%2F%2Fwww.south-shop.example%2Fse%2Fp');
