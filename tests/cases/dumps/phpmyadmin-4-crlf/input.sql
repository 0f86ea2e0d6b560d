-- phpMyAdmin SQL Dump
-- version 4.6.6
-- https://www.phpmyadmin.net/
--
-- Host: localhost:3306
-- Generation Time: Nov 25, 2026 at 09:30 AM

SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
SET time_zone = "+00:00";


/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;

--
-- Database: `shop`
--

-- --------------------------------------------------------

CREATE TABLE `wp_options` (
  `option_id` bigint(20) UNSIGNED NOT NULL,
  `option_name` varchar(191) NOT NULL DEFAULT '',
  `option_value` longtext NOT NULL,
  `data` longblob
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

--
-- Dumping data for table `wp_options`
--

INSERT INTO `wp_options` (`option_id`, `option_name`, `option_value`, `data`) VALUES
(1, 'siteurl', 'http://south.example', NULL),
(2, 'widget_text', 'a:2:{i:2;a:1:{s:3:"url";s:30:"http://south.example/größe''s";}s:12:"_multiwidget";i:1;}', 0x613a313a7b693a303b733a32323a22687474703a2f2f736f7574682e6578616d706c652f62223b7d),
(3, 'object', 'O:8:"stdClass":2:{s:7:"\0*\0link";s:#:"http://south.example/\n<a href=''http://south.example/x''>";s:4:"mail";s:18:"shop@south.example";}', 0x00ff),
(4, 'content', '<!-- wp:image {"id":7} -->\n<img src="http://south.example/wp-content/a.jpg" alt=''it"s'' />\r\n<!-- /wp:image --> http://south.example. http://south.example.org \\o/', NULL);
INSERT INTO `wp_options` (`option_id`, `option_name`, `option_value`, `data`) VALUES
(5, 'elementor', '[{"id":"1a","settings":{"link":{"url":"http:\\/\\/south.example\\/a\\/"},"html":"<a href=\\"http:\\/\\/south.example\\/b\\">\\u00e9<\\/a>"}}]', NULL),
(6, 'json', '{"d": "a:1:{s:1:\\"u\\";s:22:\\"http://south.example/x\\";}"}', NULL),
(7, 'share', 'https://share.example/?u=http%3A%2F%2Fsouth.example%2Fp', NULL);

--
-- Indexes for table `wp_options`
--
ALTER TABLE `wp_options`
  ADD PRIMARY KEY (`option_id`);

/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
